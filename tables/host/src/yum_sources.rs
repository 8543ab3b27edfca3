//! `yum_sources`: one row per repository of packages that yum or dnf uses.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::held::{HeldList, owned};
use crate::source::ini::{self, Section};

/// Configuration files of yum and dnf, which may have repositories themselves.
const MAIN: [&str; 2] = ["/etc/dnf/dnf.conf", "/etc/yum.conf"];
/// Directories of repositories: those of yum and dnf, unless `reposdir` names others, and zypper's.
const FOLDERS: [&str; 3] = ["/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d"];
const ZYPP: &str = "/etc/zypp/repos.d";

/// Repositories that yum, dnf or zypper is configured to use, whether enabled or not.
///
/// They come from `/etc/dnf/dnf.conf`, `/etc/yum.conf`, and the `.repo` files in the directories that `reposdir` names
/// there. By default these are `/etc/yum.repos.d`, `/etc/yum/repos.d` and `/etc/distro.repos.d`; `/etc/zypp/repos.d` is
/// read as well. Values are as configured, with variables such as `$releasever`.
#[derive(Debug, Default, Table)]
#[table(name = "yum_sources", platforms("linux"), rows = 20, identity(source, repository), namespaces)]
#[example("Enabled repositories.", "SELECT repository, baseurl, mirrorlist FROM yum_sources WHERE enabled != '0'")]
#[example("Repositories whose packages are not checked.", "SELECT name, source FROM yum_sources WHERE gpgcheck = '0'")]
pub struct YumSource {
    /// Description of the repository.
    name: String,
    /// File that configures it.
    source: String,
    /// Addresses, separated by line ends; empty if not configured.
    baseurl: String,
    /// Address of a list of mirrors; empty if not configured.
    mirrorlist: String,
    /// Address of a Metalink file; empty if not configured.
    metalink: String,
    /// Whether the repository is used, as configured: `1` or `0`. Empty means that it is.
    enabled: String,
    /// Whether signatures of packages are checked, as configured: `1` or `0`. Empty if only the main file decides.
    gpgcheck: String,
    /// Addresses of the keys; empty if not configured.
    gpgkey: String,
    /// ID of the repository: the name of its section.
    #[column(added)]
    repository: String,
}

impl Rows for YumSource {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |error: &Error| scan.report("yum", error);
        let mut rows = HeldList::new(sys);
        let mut folders: Option<Vec<PathBuf>> = None;
        let mut is_configured = false;
        let read = |file: &Path, rows: &mut HeldList<YumSource>| -> Result<Option<Vec<Section>>> {
            let bytes = match sys.read(file).if_present() {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(None),
                Err(error) => {
                    report(&error);
                    return Ok(None);
                }
            };
            let file = sys.path_text(file);
            let (main, repositories): (Vec<Section>, Vec<Section>) =
                ini::parse(&file, &bytes, report).into_iter().partition(|section| section.name == "main");
            repositories.iter().map(|section| row(section, &file)).try_for_each(|row| {
                let urls = owned([&row.baseurl, &row.mirrorlist, &row.metalink, &row.gpgkey]);
                let owned = urls + owned([&row.name, &row.source, &row.enabled, &row.gpgcheck, &row.repository]);
                rows.push(row, owned)
            })?;
            Ok(Some(main))
        };
        for file in MAIN {
            let Some(main) = read(Path::new(file), &mut rows)? else { continue };
            is_configured = true;
            let named = main.iter().find_map(|main| main.get("reposdir"));
            let named = named.map(|named| named.split([',', ' ', '\n']).filter(|folder| folder.starts_with('/')));
            folders = folders.or(named.map(|named| named.map(PathBuf::from).collect()));
        }
        let folders = folders.unwrap_or_else(|| FOLDERS.map(PathBuf::from).into());
        for folder in folders.into_iter().chain([ZYPP.into()]) {
            let names = match sys.read_dir(&folder).if_present() {
                Ok(names) => names,
                Err(error) => {
                    report(&error);
                    None
                }
            };
            is_configured |= names.is_some();
            let mut files: Vec<PathBuf> = names.into_iter().flatten().map(|name| folder.join(name)).collect();
            files.retain(|file| file.extension().is_some_and(|extension| extension == "repo"));
            files.sort_unstable();
            for file in files {
                read(&file, &mut rows)?;
            }
        }
        if !is_configured {
            let places = format!("{}, {}", MAIN.join(", "), FOLDERS.join(", "));
            return Err(Error::Absent(format!("neither yum nor dnf is configured (missing: {places}, {ZYPP})")));
        }
        Ok(rows.into_iter())
    }
}

fn row(section: &Section, file: &str) -> YumSource {
    let text = |key| section.get(key).unwrap_or_default().to_owned();
    YumSource {
        name: text("name"),
        source: file.to_owned(),
        baseurl: text("baseurl"),
        mirrorlist: text("mirrorlist"),
        metalink: text("metalink"),
        enabled: text("enabled"),
        gpgcheck: text("gpgcheck"),
        gpgkey: text("gpgkey"),
        repository: section.name.clone(),
    }
}
