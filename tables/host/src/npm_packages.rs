//! `npm_packages`: one row per package in `node_modules`.

use std::path::Path;

use indago_table::prelude::*;

use crate::source::npm;

/// Directories that have `node_modules`.
const FOLDERS: [&str; 3] = ["/usr/local/lib", "/usr/lib", "/opt/homebrew/lib"];

/// Packages of Node.js, with those that they contain.
///
/// Without a key, `node_modules` in `/usr/lib` and `/usr/local/lib` are read: the packages that `npm install --global`
/// installs. A key on `directory` reads another directory, for example of an application.
#[derive(Debug, Default, Table)]
#[table(
    name = "npm_packages",
    platforms("linux"),
    rows = 200,
    identity(path, max_depth),
    namespaces(mount_namespace_id)
)]
#[example("The versions of a package.", "SELECT version, path FROM npm_packages WHERE name = 'semver'")]
#[example(
    "Packages that an application uses directly.",
    "SELECT name, version FROM npm_packages WHERE directory = '/srv/app' AND max_depth = 0"
)]
pub struct NpmPackage {
    /// Name, with its scope: `@npmcli/fs`.
    name: String,
    /// Version.
    #[column(collate = version)]
    version: String,
    /// Description; empty if there is none.
    description: String,
    /// Name of the author; empty if there is none.
    author: String,
    /// License; empty if there is none.
    license: String,
    /// Address of the project; empty if there is none.
    homepage: String,
    /// The package's `package.json`.
    path: String,
    /// Directory whose `node_modules` contains the package.
    #[column(index, extends)]
    directory: String,
    /// Number of packages that contain this one: 0 for those in `node_modules` of `directory`.
    depth: i64,
    /// Set it to read packages up to this depth. Default: 100, the limit.
    #[column(index, selects, hidden)]
    max_depth: i64,
}

impl Rows for NpmPackage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let keys = scan.keys(Self::DIRECTORY);
        if keys.is_none() && !FOLDERS.iter().any(|folder| scan.sys().exists(Path::new(folder).join("node_modules"))) {
            let what = format!("no global packages of Node.js (`node_modules` is not in {})", FOLDERS.join(", "));
            return Err(Error::Absent(what));
        }
        let mut folders = keys.unwrap_or_else(|| FOLDERS.map(str::to_owned).into());
        folders.sort_unstable();
        folders.dedup();
        let mut depths = scan.keys(Self::MAX_DEPTH).unwrap_or_else(|| vec![npm::DEEPEST]);
        depths.sort_unstable();
        depths.dedup();
        depths.retain(|depth| *depth >= 0);
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let each = move |max_depth: i64| {
            folders.clone().into_iter().flat_map(move |directory| {
                let packages = npm::packages(scan.sys(), Path::new(&directory), max_depth.min(npm::DEEPEST), report);
                packages.map(move |package| NpmPackage {
                    name: package.name,
                    version: package.version,
                    description: package.description,
                    author: package.author,
                    license: package.license,
                    homepage: package.homepage,
                    path: package.path,
                    directory: directory.clone(),
                    depth: package.depth,
                    max_depth,
                })
            })
        };
        Ok(depths.into_iter().flat_map(each))
    }
}
