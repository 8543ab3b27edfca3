//! `portage_keywords`: one row per keyword, mask and unmask that the administrator of Portage configured.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::portage::split_version;

const FOLDER: &str = "/etc/portage";
/// Deepest directory of configuration files.
const DEEPEST: usize = 8;

/// Exceptions for packages of Portage (Gentoo): versions that are accepted although they are not stable, and versions
/// that are masked or unmasked.
///
/// They come from `package.accept_keywords`, `package.keywords`, `package.mask` and `package.unmask` in `/etc/portage`,
/// each of which is a file or a directory.
#[derive(Debug, Default, Table)]
#[table(name = "portage_keywords", platforms("linux"), rows = 50, identity(), namespaces)]
#[example("Packages that are unmasked.", "SELECT package, version FROM portage_keywords WHERE unmask = 1")]
pub struct PortageKeyword {
    /// Category and name: `app-editors/vim`.
    package: String,
    /// Version that the entry names; empty for all versions. `operator` says how versions compare with it.
    #[column(collate = version)]
    version: String,
    /// Accepted keyword: `~amd64`, `**`. Empty for a mask, an unmask, and an entry without a keyword, which accepts the
    /// host's architecture.
    keyword: String,
    /// Whether the entry masks the versions: 1 or 0.
    mask: i64,
    /// Whether the entry unmasks the versions: 1 or 0.
    unmask: i64,
    /// Operator before the package: `=`, `>=`, `<`, `~`; empty if there is none.
    #[column(added)]
    operator: String,
}

impl Rows for PortageKeyword {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        if !sys.exists(FOLDER) {
            return Err(Error::Unsupported(format!("Portage is not configured ({FOLDER} is missing)")));
        }
        let mut rows = Vec::new();
        for (name, is_mask, is_unmask) in [
            ("package.accept_keywords", false, false),
            ("package.keywords", false, false),
            ("package.mask", true, false),
            ("package.unmask", false, true),
        ] {
            let mut files = Vec::new();
            find(sys, Path::new(FOLDER).join(name), 0, &mut files, &|error| scan.report("portage", error));
            for file in files {
                let text = match sys.read_text(&file) {
                    Ok(text) => text,
                    Err(error) => {
                        scan.report("portage", &error);
                        continue;
                    }
                };
                rows.extend(text.lines().flat_map(entries).map(|row| PortageKeyword {
                    mask: is_mask.into(),
                    unmask: is_unmask.into(),
                    ..row
                }));
            }
        }
        Ok(rows.into_iter())
    }
}

/// The files at a path: itself, or the files below it.
fn find(sys: &Sys, path: PathBuf, depth: usize, files: &mut Vec<PathBuf>, report: &impl Fn(&Error)) {
    match sys.metadata(&path).if_present() {
        Ok(Some(metadata)) if metadata.is_dir() && depth < DEEPEST => match sys.read_dir(&path) {
            Ok(mut names) => {
                names.sort_unstable();
                let is_used = |name: &[u8]| !name.starts_with(b".") && !name.ends_with(b"~");
                for name in names.into_iter().filter(|name| is_used(name.as_encoded_bytes())) {
                    find(sys, path.join(name), depth + 1, files, report);
                }
            }
            Err(error) => report(&error),
        },
        Ok(Some(metadata)) if !metadata.is_dir() => files.push(path),
        Ok(_) => {}
        Err(error) => report(&error),
    }
}

/// The entries on a line: a package, and keywords in the files of keywords.
fn entries(line: &str) -> Vec<PortageKeyword> {
    let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
    let Some(atom) = words.next() else { return Vec::new() };
    let name = atom.trim_start_matches(['<', '>', '=', '~', '!']);
    let operator = &atom[..atom.len() - name.len()];
    // A slot and a repository may follow.
    let name = name.split(':').next().unwrap_or_default();
    let (package, version) = match split_version(name) {
        Some(split) if !operator.is_empty() => split,
        _ => (name, ""),
    };
    let row = |keyword: &str| PortageKeyword {
        package: package.to_owned(),
        version: version.to_owned(),
        keyword: keyword.to_owned(),
        operator: operator.to_owned(),
        ..PortageKeyword::default()
    };
    let keywords: Vec<PortageKeyword> = words.map(row).collect();
    if keywords.is_empty() { vec![row("")] } else { keywords }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_packages_and_keywords() {
        let show = |line| {
            let show =
                |row: PortageKeyword| format!("{}|{}|{}|{}", row.operator, row.package, row.version, row.keyword);
            entries(line).into_iter().map(show).collect::<Vec<_>>()
        };
        assert_eq!(
            show(">=app-editors/vim-9.1:0 ~amd64 ** # x"),
            [">=|app-editors/vim|9.1|~amd64", ">=|app-editors/vim|9.1|**"]
        );
        assert_eq!(show("sys-apps/font-1"), ["|sys-apps/font-1||"]);
        assert_eq!(show("=a/b-1*"), ["=|a/b|1*|"]);
        assert_eq!(show("# note"), [""; 0]);
    }
}
