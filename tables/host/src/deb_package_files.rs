//! `deb_package_files`: one row per file and directory of each package of dpkg.

use indago_table::prelude::*;

use crate::source::dpkg;

/// Files and directories of the packages that dpkg installed, as `dpkg -L` lists them.
///
/// A key on `package` reads only that package's list. Other queries read all lists. For an image without dpkg, the
/// files with an MD5 sum in `status.d` are listed.
#[derive(Debug, Default, Table)]
#[table(
    name = "deb_package_files",
    platforms("linux"),
    rows = 100_000,
    identity(admindir, package, arch, path),
    namespaces
)]
#[example("The files of a package.", "SELECT path FROM deb_package_files WHERE package = 'base-files'")]
#[example("The package of a file.", "SELECT package FROM deb_package_files WHERE path = '/usr/bin/env'")]
#[example(
    "Files of a package that were changed since it was installed.",
    "SELECT f.path FROM deb_package_files f JOIN hash h ON h.path = f.path \
     WHERE f.package = 'base-files' AND f.md5 IS NOT NULL AND h.md5 != f.md5"
)]
pub struct DebPackageFile {
    /// Name of the package.
    #[column(index)]
    package: String,
    /// Path of the file or directory. `/.` is the root directory.
    #[column(index)]
    path: String,
    /// Administrative directory to read. Default: `/var/lib/dpkg`.
    #[column(index, selects)]
    admindir: String,
    /// Architecture of a package that can be installed for several; otherwise NULL.
    #[column(added)]
    arch: Option<String>,
    /// MD5 sum of the file as packaged. NULL for directories, links and configuration files.
    #[column(added, collate = nocase)]
    md5: Option<String>,
}

impl Rows for DebPackageFile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let packages = scan.keys(Self::PACKAGE);
        let mut lists = Vec::new();
        for admindir in dpkg::admindirs(scan.keys(Self::ADMINDIR)) {
            match dpkg::file_lists(scan.sys(), &admindir, packages.as_deref(), &report) {
                Ok(found) => lists.extend(found.into_iter().map(|list| (admindir.clone(), list))),
                Err(error) => scan.report(&admindir, &error),
            }
        }
        let with_sums = scan.wants(Self::MD5);
        Ok(lists.into_iter().flat_map(move |(admindir, list)| {
            let files = list.files(scan.sys(), with_sums, &report).map_err(|error| report("dpkg", &error));
            let files = files.unwrap_or_default().into_iter().filter(|(path, _)| scan.admits(Self::PATH, path));
            files.map(move |(path, md5)| DebPackageFile {
                package: list.package.clone(),
                path,
                admindir: admindir.clone(),
                arch: list.arch.clone(),
                md5,
            })
        }))
    }
}
