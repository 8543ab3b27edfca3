//! `python_packages`: one row per Python package.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use indago_table::prelude::*;

use crate::source::homes::homes;
use crate::source::python;

/// Python packages in the directories of the host and of its users, by their metadata (`.dist-info`, `.egg-info`).
///
/// Without a key these are `dist-packages` and `site-packages` of each Python in `/usr/lib`, `/usr/local/lib` (and
/// `lib64`), and in the users' directories: `~/.local/lib`, pyenv, uv and conda. On a running machine only the current
/// user's directories are read, unless `uid` is constrained or joined with `users`. A key on `directory` reads that
/// directory, for example of a virtual environment.
#[derive(Debug, Default, Table)]
#[table(name = "python_packages", platforms("linux"), rows = 100, identity(path), namespaces)]
#[example("The versions of a package.", "SELECT version, path FROM python_packages WHERE name = 'requests'")]
#[example(
    "Packages of all users.",
    "SELECT u.username, p.name, p.version FROM users u JOIN python_packages p ON p.uid = u.uid"
)]
#[example(
    "Packages of a virtual environment.",
    "SELECT name, version FROM python_packages WHERE directory = '/opt/app/lib/python3.11/site-packages'"
)]
pub struct PythonPackage {
    /// Name of the package.
    name: String,
    /// User that owns the directory.
    #[column(index, extends)]
    uid: i64,
    /// Version.
    #[column(collate = version)]
    version: String,
    /// One line about the package; empty if unknown.
    summary: String,
    /// Author; empty if unknown.
    author: String,
    /// License: the first line of its text, or its SPDX expression. Empty if unknown.
    license: String,
    /// Directory or file with the package's metadata.
    path: String,
    /// Directory of packages that contains it.
    #[column(index, extends)]
    directory: String,
}

impl Rows for PythonPackage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let folders: Vec<PathBuf> = match scan.keys(Self::DIRECTORY) {
            Some(keys) => keys.into_iter().collect::<HashSet<_>>().into_iter().map(PathBuf::from).collect(),
            None => {
                let mut folders = python::system_folders(sys, &report);
                match homes(sys, scan.keys(Self::UID), report) {
                    Ok(homes) => {
                        folders
                            .extend(homes.iter().flat_map(|home| python::user_folders(sys, &home.directory, &report)));
                    }
                    // The host's own packages can still be read.
                    Err(error) if !error.ends_query() => report("accounts", &error),
                    Err(error) => return Err(error),
                }
                // One directory may have several names: `lib64` is often a link to `lib`.
                let mut seen = HashSet::new();
                folders.retain(|folder| seen.insert(sys.canonicalize(folder).unwrap_or_else(|_| folder.clone())));
                folders
            }
        };
        Ok(folders.into_iter().flat_map(move |folder| {
            let owner = scan.sys().metadata(&folder).map(|metadata| i64::from(metadata.uid()));
            let owner = owner.inspect_err(|error| report("python", error)).ok();
            let owner = owner.filter(|uid| scan.admits(Self::UID, uid));
            owner.into_iter().flat_map(move |uid| {
                let directory = scan.sys().path_text(&folder);
                python::packages(scan.sys(), folder.clone(), report).map(move |package| PythonPackage {
                    name: package.name,
                    uid,
                    version: package.version,
                    summary: package.summary,
                    author: package.author,
                    license: package.license,
                    path: package.path,
                    directory: directory.clone(),
                })
            })
        }))
    }
}
