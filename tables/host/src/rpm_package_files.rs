//! `rpm_package_files`: one row per file and directory of each package of the RPM database.

use std::ops::Range;

use indago_table::prelude::*;

use crate::source::held::HeldList;
use crate::source::rpm::{self, Cursor, Header, SHA256, tag};

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
            let files = header.and_then(|header| {
                let package = scan.sys().text(header.text(tag::NAME).unwrap_or_default());
                let report = |error: &Error| scan.report("rpm", error);
                let files =
                    scan.admits(Self::PACKAGE, &package).then(|| Files::of(scan.sys(), header, package, report));
                files?.map_err(|error| report(&error)).ok()
            });
            files.into_iter().flatten().filter(|row| scan.admits(Self::PATH, &row.path))
        }))
    }
}

/// Longest path in bytes: the kernel's limit.
const LONGEST_PATH: usize = 4096;

/// The files of a package. The values of a file have the same position in all lists.
struct Files<'a, R> {
    sys: &'a Sys,
    report: R,
    header: Header,
    package: String,
    /// Where the names of directories are in the header.
    folders: HeldList<Range<usize>>,
    names: Cursor,
    indexes: Cursor,
    whole: Cursor,
    users: Cursor,
    groups: Cursor,
    modes: Cursor,
    sizes: Cursor,
    long_sizes: Cursor,
    digests: Cursor,
    is_sha256: bool,
    is_reported: bool,
}

impl<'a, R: Fn(&Error)> Files<'a, R> {
    fn of(sys: &'a Sys, header: Header, package: String, report: R) -> Result<Self> {
        let mut folders = HeldList::new(sys);
        let mut folder = header.cursor(tag::FOLDER_NAMES);
        loop {
            let start = folder.at;
            let Some(name) = header.next_text(&mut folder) else { break };
            folders.push(start..start + name.len(), 0)?;
        }
        let cursor = |tag| header.cursor(tag);
        Ok(Files {
            names: cursor(tag::BASE_NAMES),
            indexes: cursor(tag::FOLDER_INDEXES),
            // Packages of RPM 3 have complete paths.
            whole: cursor(tag::OLD_FILE_NAMES),
            users: cursor(tag::FILE_USERS),
            groups: cursor(tag::FILE_GROUPS),
            modes: cursor(tag::FILE_MODES),
            sizes: cursor(tag::FILE_SIZES),
            long_sizes: cursor(tag::LONG_FILE_SIZES),
            digests: cursor(tag::FILE_DIGESTS),
            is_sha256: header.number(tag::DIGEST_ALGORITHM) == Some(SHA256),
            is_reported: false,
            sys,
            report,
            header,
            package,
            folders,
        })
    }

    /// The parts of the next file's path.
    fn next_path(&mut self) -> Option<[&[u8]; 2]> {
        let header = &self.header;
        let joined = header.next_text(&mut self.names).zip(header.next_number(&mut self.indexes));
        match joined {
            Some((name, folder)) => {
                let folder = usize::try_from(folder).ok().and_then(|folder| self.folders.get(folder));
                Some([header.at(folder.cloned().unwrap_or_default()), name])
            }
            None => Some([&[], header.next_text(&mut self.whole)?]),
        }
    }
}

impl<R: Fn(&Error)> Iterator for Files<'_, R> {
    type Item = RpmPackageFile;

    fn next(&mut self) -> Option<RpmPackageFile> {
        loop {
            let path = self.next_path()?;
            let path = (path.iter().map(|part| part.len()).sum::<usize>() <= LONGEST_PATH).then(|| path.concat());
            let Files { sys, header, .. } = self;
            let text = |cursor: &mut Cursor| header.next_text(cursor).unwrap_or_default();
            let (user, group) = (text(&mut self.users), text(&mut self.groups));
            let digest = text(&mut self.digests);
            let mode = header.next_number(&mut self.modes);
            let size = header.next_number(&mut self.sizes).or_else(|| header.next_number(&mut self.long_sizes));
            let Some(path) = path else {
                if !std::mem::replace(&mut self.is_reported, true) {
                    let what = format!("{}: paths of more than {LONGEST_PATH} bytes were skipped", self.package);
                    (self.report)(&Error::Malformed(what));
                }
                continue;
            };
            return Some(RpmPackageFile {
                package: self.package.clone(),
                path: sys.text(&path),
                username: sys.text(user),
                groupname: sys.text(group),
                mode: mode.map(|mode| format!("{:04o}", mode & 0o7777)).unwrap_or_default(),
                size,
                sha256: if self.is_sha256 { sys.text(digest) } else { String::new() },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::source::rpm::tests::header;

    #[test]
    fn files_are_read_one_at_a_time_and_long_paths_are_reported() {
        let folders = [b"/a/".to_vec(), b"/".to_vec(), vec![b'f'; LONGEST_PATH - 1], b"\0".to_vec()];
        let folders = [&folders[0], &b"\0"[..], &folders[1], &folders[2], &folders[3]].concat();
        let indexes: Vec<u8> = [1_u32, 1, 0, 0, 7].iter().flat_map(|index| index.to_be_bytes()).collect();
        let header = header(&[
            (tag::FOLDER_NAMES, 8, 2, &folders),
            (tag::BASE_NAMES, 8, 5, b"x\0y\0z\0\0w\0"),
            (tag::FOLDER_INDEXES, 4, 5, &indexes),
            (tag::FILE_USERS, 8, 5, b"1\x002\x003\x004\x005\0"),
            (tag::FILE_SIZES, 4, 1, &[0, 0, 0, 9]),
            (tag::LONG_FILE_SIZES, 5, 1, &[0, 0, 0, 1, 0, 0, 0, 0]),
        ]);
        let header = Header::parse(header).expect("a header");
        let sys = Sys::live();
        let reported = RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let files = Files::of(&sys, header, "p".to_owned(), report).expect("no limit of memory");
        let shown: Vec<_> = files.map(|row| (row.path, row.username, row.size)).collect();
        let file = |path: &str, user: &str, size| (path.to_owned(), user.to_owned(), size);
        assert_eq!(shown, [file("/a/z", "3", None), file("/a/", "4", None), file("w", "5", None)]);
        assert_eq!(reported.take(), ["p: paths of more than 4096 bytes were skipped"]);
    }
}
