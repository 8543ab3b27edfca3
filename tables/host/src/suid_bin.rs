//! `suid_bin`: one row per program that runs with the rights of its owner or group.

use std::collections::{HashMap, VecDeque};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use indago_table::Held;
use indago_table::prelude::*;

use crate::source::accounts;
use crate::source::held::{HeldList, owned_bytes};

/// Files with the set-user-ID or set-group-ID bit below `/bin`, `/sbin`, `/usr/bin`, `/usr/sbin`, `/usr/local/bin`,
/// `/usr/local/sbin` and `/tmp`.
///
/// Links to directories are not followed below these. A program has a row per path, so where `/bin` is a link to
/// `/usr/bin` it has two. For other directories, use `file` with a condition on `mode`.
#[derive(Debug, Default, Table)]
#[table(name = "suid_bin", platforms("linux"), rows = 30, identity(path), namespaces)]
#[example("Programs that run as root.", "SELECT path FROM suid_bin WHERE username = 'root' AND permissions LIKE '%S%'")]
pub struct SuidBin {
    /// Path of the program.
    path: String,
    /// Name of the owner, or its number if it has no account.
    username: String,
    /// Name of the group, or its number if it has no name.
    groupname: String,
    /// `S` for the set-user-ID bit, `G` for the set-group-ID bit.
    permissions: String,
}

const DIRECTORIES: [&str; 7] = ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/tmp"];

impl Rows for SuidBin {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let is_directory = |path: &PathBuf| match sys.metadata(path).if_present() {
            Ok(metadata) => metadata.is_some_and(|metadata| metadata.is_dir()),
            Err(error) => {
                scan.report("directories", &error);
                false
            }
        };
        let directories: VecDeque<_> = DIRECTORIES.iter().map(PathBuf::from).filter(is_directory).collect();
        if directories.is_empty() {
            return Err(Error::Unsupported(format!("none of the directories {} exists", DIRECTORIES.join(", "))));
        }
        let reject = |error: &Error| scan.report("accounts", error);
        let users = accounts::users(sys, reject).unwrap_or_else(|error| {
            reject(&error);
            HeldList::default()
        });
        let groups = accounts::groups(sys, reject).unwrap_or_else(|error| {
            reject(&error);
            HeldList::default()
        });
        let users = first_names(sys, users.into_iter().map(|user| (user.uid, user.name)))?;
        let groups = first_names(sys, groups.into_iter().map(|group| (group.gid, group.name)))?;
        let name = |(names, _): &Names, id: i64| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        let found = Programs { scan, directories, found: VecDeque::new() };
        Ok(found.map(move |(path, metadata)| SuidBin {
            path: scan.sys().path_text(path),
            username: name(&users, metadata.uid().into()),
            groupname: name(&groups, metadata.gid().into()),
            permissions: [(0o4000, "S"), (0o2000, "G")]
                .into_iter()
                .filter(|(bit, _)| metadata.mode() & bit != 0)
                .map(|(_, letter)| letter)
                .collect(),
        }))
    }
}

/// Names by number, and the memory charged for them.
type Names = (HashMap<i64, String>, Held);

/// The first name of each number.
fn first_names(sys: &Sys, entries: impl Iterator<Item = (i64, String)>) -> Result<Names> {
    let (mut names, mut held, mut owned) = (HashMap::new(), sys.meter().hold(0)?, 0);
    for (id, name) in entries {
        owned += owned_bytes(name.len());
        names.entry(id).or_insert(name);
        held.cover(owned + 2 * names.capacity() * size_of::<(i64, String)>())?;
    }
    Ok((names, held))
}

/// Walks directories, the next of which is read when the files of the one before are used up.
struct Programs<'a> {
    scan: &'a Scan<SuidBin>,
    directories: VecDeque<PathBuf>,
    found: VecDeque<(PathBuf, Metadata)>,
}

impl Programs<'_> {
    fn enter(&mut self, directory: PathBuf) {
        let sys = self.scan.sys();
        let entries = match sys.entries(&directory) {
            Ok(entries) => entries,
            Err(error) => return self.scan.report("directories", &error),
        };
        for (name, kind) in entries {
            let path = directory.join(name);
            if kind.is_dir() {
                self.directories.push_back(path);
            } else if kind.is_file() || kind.is_symlink() {
                match sys.metadata(&path) {
                    Ok(metadata) if metadata.is_file() && metadata.mode() & 0o6000 != 0 => {
                        self.found.push_back((path, metadata));
                    }
                    Ok(_) => {}
                    Err(error) => self.scan.report("files", &error),
                }
            }
        }
    }
}

impl Iterator for Programs<'_> {
    type Item = (PathBuf, Metadata);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            self.scan.sys().check_cancelled().ok()?;
            let directory = self.directories.pop_front()?;
            self.enter(directory);
        }
    }
}
