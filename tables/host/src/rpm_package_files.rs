//! `rpm_package_files`: one row per file and directory of each package of the RPM database.

use indago_table::prelude::*;

use crate::source::rpm::{self, Header, SHA256, tag};

/// Files and directories of the packages that RPM installed, with what the package says about each.
#[derive(Debug, Default, Table)]
#[table(
    name = "rpm_package_files",
    platforms("linux"),
    rows = 100_000,
    whole_source,
    identity(package, path),
    namespaces
)]
#[example("The files of a package.", "SELECT path, mode FROM rpm_package_files WHERE package = 'bash'")]
#[example("The package of a file.", "SELECT package FROM rpm_package_files WHERE path = '/usr/bin/env'")]
#[example(
    "Files of a package that were changed since it was installed.",
    "SELECT f.path FROM rpm_package_files f JOIN hash h ON h.path = f.path \
     WHERE f.package = 'bash' AND f.sha256 != '' AND h.sha256 != f.sha256"
)]
pub struct RpmPackageFile {
    /// Name of the package.
    #[column(index)]
    package: String,
    /// Path of the file or directory.
    #[column(index)]
    path: String,
    /// Name of the owning user.
    username: String,
    /// Name of the owning group.
    groupname: String,
    /// Permission bits as four octal digits: set-user-ID, set-group-ID and sticky bits, then owner, group, others.
    mode: String,
    /// Size in bytes.
    size: Option<i64>,
    /// SHA-256 sum of the file as packaged; empty for directories and links, and for packages that use other digests.
    #[column(collate = nocase)]
    sha256: String,
}

impl Rows for RpmPackageFile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let headers = rpm::headers(scan.sys())?;
        Ok(headers.flat_map(move |header| {
            let header = header.inspect_err(|error| scan.report("rpm", error)).ok();
            let rows = header.into_iter().flat_map(|header| {
                let package = scan.sys().text(header.text(tag::NAME).unwrap_or_default());
                if scan.admits(Self::PACKAGE, &package) { files(scan.sys(), &header, &package) } else { Vec::new() }
            });
            rows.filter(|row| scan.admits(Self::PATH, &row.path)).collect::<Vec<_>>()
        }))
    }
}

/// The files of a package. The values of a file have the same position in all lists.
fn files(sys: &Sys, header: &Header, package: &str) -> Vec<RpmPackageFile> {
    let folders: Vec<&[u8]> = header.texts(tag::FOLDER_NAMES).collect();
    let joined = header.texts(tag::BASE_NAMES).zip(header.numbers(tag::FOLDER_INDEXES)).map(|(name, folder)| {
        let folder = usize::try_from(folder).ok().and_then(|folder| folders.get(folder));
        sys.text(&[folder.copied().unwrap_or_default(), name].concat())
    });
    // Packages of RPM 3 have complete paths.
    let whole = header.texts(tag::OLD_FILE_NAMES).map(|path| sys.text(path));
    let mut users = header.texts(tag::FILE_USERS);
    let mut groups = header.texts(tag::FILE_GROUPS);
    let mut modes = header.numbers(tag::FILE_MODES);
    let mut sizes = header.numbers(tag::FILE_SIZES).chain(header.numbers(tag::LONG_FILE_SIZES));
    let mut digests = header.texts(tag::FILE_DIGESTS);
    let is_sha256 = header.number(tag::DIGEST_ALGORITHM) == Some(SHA256);
    let files = joined.chain(whole).map(|path| RpmPackageFile {
        package: package.to_owned(),
        path,
        username: sys.text(users.next().unwrap_or_default()),
        groupname: sys.text(groups.next().unwrap_or_default()),
        mode: modes.next().map(|mode| format!("{:04o}", mode & 0o7777)).unwrap_or_default(),
        size: sizes.next(),
        sha256: sys.text(digests.next().filter(|_| is_sha256).unwrap_or_default()),
    });
    files.collect()
}
