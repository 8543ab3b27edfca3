//! dpkg's database: the packages of an administrative directory, and their files.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::deb822::{Paragraph, Paragraphs};
use super::held::{HeldList, owned};

/// dpkg's default administrative directory.
pub(crate) const ADMINDIR: &str = "/var/lib/dpkg";

/// The administrative directories of a scan: its keys, or the default. Each key is read once.
pub(crate) fn admindirs(keys: Option<Vec<String>>) -> Vec<String> {
    let mut keys = keys.unwrap_or_else(|| vec![ADMINDIR.to_owned()]);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The error for a directory without a database.
fn missing(admindir: &str) -> Error {
    Error::Absent(format!("no dpkg database ({admindir}/status and {admindir}/status.d are missing)"))
}

/// The packages of an administrative directory.
///
/// They come from `status`, from the changes in `updates` that dpkg has not written to it yet, and from `status.d`,
/// which images without dpkg have instead: one file per package.
#[derive(Debug)]
pub(crate) struct Packages {
    sys: Sys,
    files: VecDeque<(PathBuf, Kind)>,
    open: Option<(Paragraphs, Kind)>,
    newer: HashSet<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update,
    Status,
    Image,
}

impl Packages {
    pub(crate) fn of(sys: &Sys, admindir: &str, report: &impl Fn(&str, &Error)) -> Result<Self> {
        let folder = Path::new(admindir);
        let status = folder.join("status");
        let mut files = VecDeque::new();
        let mut updates = names(sys, &folder.join("updates"), report);
        updates.retain(|name| !name.is_empty() && name.iter().all(u8::is_ascii_digit));
        // The last change counts.
        files.extend(updates.iter().rev().map(|name| (join(&folder.join("updates"), name), Kind::Update)));
        let has_status = sys.exists(&status);
        if has_status {
            files.push_back((status, Kind::Status));
        }
        let images = folder.join("status.d");
        let packages = names(sys, &images, report);
        let packages = packages.iter().filter(|name| !name.ends_with(b".md5sums"));
        files.extend(packages.map(|name| (join(&images, name), Kind::Image)));
        if !has_status && files.is_empty() {
            return Err(missing(admindir));
        }
        Ok(Packages { sys: sys.clone(), files, open: None, newer: HashSet::new() })
    }

    /// What `make` returns for the next package that it accepts.
    pub(crate) fn next<T>(
        &mut self,
        report: &impl Fn(&str, &Error),
        mut make: impl FnMut(&Paragraph<'_>, String) -> T,
    ) -> Option<T> {
        loop {
            let Some((paragraphs, kind)) = &mut self.open else {
                let (path, kind) = self.files.pop_front()?;
                match self.sys.read(&path) {
                    Ok(bytes) => self.open = Some((Paragraphs::new(path.display().to_string(), bytes), kind)),
                    Err(error) => report("dpkg", &error),
                }
                continue;
            };
            let Some(paragraph) = paragraphs.next(|error| report("dpkg", error)) else {
                self.open = None;
                continue;
            };
            let name = paragraph.get("Package").unwrap_or_default();
            if name.is_empty() {
                report("dpkg", &Error::Malformed(format!("{} has a paragraph without `Package`", paragraphs.file())));
                continue;
            }
            let key = || (name.to_vec(), paragraph.get("Architecture").unwrap_or_default().to_vec());
            if *kind == Kind::Update && !self.newer.insert(key())
                || *kind == Kind::Status && !self.newer.is_empty() && self.newer.contains(&key())
            {
                continue;
            }
            let status = match (paragraph.get("Status"), *kind) {
                // The packages of an image without dpkg have no status: they are there.
                (None, Kind::Image) => "install ok installed".to_owned(),
                _ => paragraph.text(&self.sys, "Status"),
            };
            if !status.ends_with(" not-installed") {
                return Some(make(&paragraph, status));
            }
        }
    }
}

/// The text after the last hyphen of a version.
pub(crate) fn revision(version: &str) -> &str {
    version.rsplit_once('-').map_or("", |(_, revision)| revision)
}

/// A list of files that belong to a package.
#[derive(Debug)]
pub(crate) struct FileList {
    pub(crate) package: String,
    /// The architecture in the list's name: of packages that can be installed for several.
    pub(crate) arch: Option<String>,
    /// `info/NAME.list`, or `status.d/NAME.md5sums` if there is no such list.
    path: PathBuf,
    sums: PathBuf,
}

/// The file lists of an administrative directory, or those of some packages.
pub(crate) fn file_lists(
    sys: &Sys,
    admindir: &str,
    packages: Option<&[String]>,
    report: &impl Fn(&str, &Error),
) -> Result<Vec<FileList>> {
    let (info, images) = (Path::new(admindir).join("info"), Path::new(admindir).join("status.d"));
    let wanted = packages.map(|packages| packages.iter().map(String::as_str).collect::<HashSet<_>>());
    let mut lists = Vec::new();
    for (folder, suffix) in [(&info, &b".list"[..]), (&images, b".md5sums")] {
        for name in names(sys, folder, report) {
            let Some(stem) = name.strip_suffix(suffix) else { continue };
            let text = sys.text(stem);
            let (package, arch) = match text.split_once(':') {
                Some((package, arch)) => (package, Some(arch.to_owned())),
                None => (text.as_str(), None),
            };
            if wanted.as_ref().is_none_or(|wanted| wanted.contains(package)) {
                let sums = join(folder, &[stem, b".md5sums"].concat());
                lists.push(FileList { package: package.to_owned(), arch, path: join(folder, &name), sums });
            }
        }
    }
    if lists.is_empty() && !sys.exists(&info) && !sys.exists(&images) {
        return Err(Error::Absent(format!("no dpkg database ({admindir}/info is missing)")));
    }
    Ok(lists)
}

impl FileList {
    /// The paths of the list, and the MD5 sums of those that have one if `with_sums`.
    pub(crate) fn files(
        &self,
        sys: &Sys,
        with_sums: bool,
        report: &impl Fn(&str, &Error),
    ) -> Result<HeldList<(String, Option<String>)>> {
        let is_list = self.path != self.sums;
        let (mut sums, mut held, mut of_sums) = (std::collections::HashMap::new(), sys.meter().hold(0)?, 0);
        let mut paths = HeldList::new(sys);
        let mut add = |path: String, sum: Option<String>| {
            let owned = owned([&path, sum.as_deref().unwrap_or_default()]);
            paths.push((path, sum), owned)
        };
        let read = |path: &Path| match sys.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                report("dpkg", &error);
                Vec::new()
            }
        };
        let list = read(&self.path);
        let with = if is_list && with_sums { read(&self.sums) } else { Vec::new() };
        for (position, line) in if is_list { &with } else { &list }.split(|byte| *byte == b'\n').enumerate() {
            match sum(line) {
                Some((sum, path)) => {
                    let path = format!("/{}", sys.text(path));
                    if is_list {
                        of_sums += owned([&path, &sum]) + 2 * size_of::<(String, String)>();
                        held.cover(of_sums)?;
                        sums.insert(path, sum);
                    } else {
                        add(path, Some(sum))?;
                    }
                }
                None if line.is_empty() => {}
                None => {
                    let file = self.sums.display().to_string();
                    let what = "not an MD5 sum and a path".to_owned();
                    report("dpkg", &Error::BadLine { file, line: position as u64 + 1, what });
                }
            }
        }
        if is_list {
            let mut lines = list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.try_for_each(|line| {
                let path = sys.text(line);
                let sum = sums.get(&path).cloned();
                add(path, sum)
            })?;
        }
        Ok(paths)
    }
}

/// A line of an `.md5sums` file: the sum, two blanks, and the path from the root without its slash.
fn sum(line: &[u8]) -> Option<(String, &[u8])> {
    let (sum, path) = line.split_at_checked(32)?;
    let path = path.strip_prefix(b"  ").or(path.strip_prefix(b" *"))?;
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let is_sum = sum.iter().all(u8::is_ascii_hexdigit) && !path.is_empty();
    is_sum.then(|| (String::from_utf8_lossy(sum).to_ascii_lowercase(), path))
}

/// Names in a directory that may be missing, sorted.
fn names(sys: &Sys, folder: &Path, report: &impl Fn(&str, &Error)) -> Vec<Vec<u8>> {
    let names = sys.read_dir(folder).unwrap_or_else(|error| {
        report("dpkg", &error);
        Vec::new()
    });
    let mut names: Vec<Vec<u8>> = names.into_iter().map(std::ffi::OsString::into_encoded_bytes).collect();
    names.sort_unstable();
    names
}

fn join(folder: &Path, name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    folder.join(std::ffi::OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::damaged::damaged;

    fn packages(folder: &Path) -> (Vec<String>, Vec<String>) {
        let sys = Sys::at(folder);
        let errors = std::cell::RefCell::new(Vec::new());
        let report = |_: &str, error: &Error| match error {
            Error::Gone(_) => {}
            error => errors.borrow_mut().push(error.to_string()),
        };
        let mut packages = Packages::of(&sys, ADMINDIR, &report).expect("a database");
        let mut found = Vec::new();
        while let Some(row) = packages.next(&report, |paragraph, status| {
            format!("{} {} {status}", paragraph.text(&sys, "Package"), paragraph.text(&sys, "Version"))
        }) {
            found.push(row);
        }
        (found, errors.into_inner())
    }

    #[test]
    fn changes_that_dpkg_has_not_merged_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let admindir = folder.path().join("var/lib/dpkg");
        fs::create_dir_all(admindir.join("updates")).expect("a folder");
        fs::create_dir_all(admindir.join("status.d")).expect("a folder");
        let paragraph = |name: &str, version: &str, state: &str| {
            format!("Package: {name}\nStatus: install ok {state}\nArchitecture: amd64\nVersion: {version}\n\n")
        };
        let write = |name: &str, text: String| fs::write(admindir.join(name), text).expect("a file");
        let (a, b) = (paragraph("a", "1", "installed"), paragraph("b", "1", "installed"));
        write("status", format!("{a}{b}Package: none\nStatus: purge ok not-installed\n\nVersion: 3\n\nbad line\n"));
        write("updates/0001", paragraph("b", "2", "unpacked"));
        write("updates/0002", paragraph("b", "2", "installed"));
        write("updates/tmp.i", "Package: part".to_owned());
        write("status.d/base", "Package: base-files\nVersion: 12\n".to_owned());
        write("status.d/base.md5sums", "0 x".to_owned());
        let (found, errors) = packages(folder.path());
        let installed = ["b 2", "a 1", "base-files 12"].map(|row| format!("{row} install ok installed"));
        assert_eq!(found, installed);
        assert_eq!(
            errors,
            [
                "/var/lib/dpkg/status has a paragraph without `Package`",
                "/var/lib/dpkg/status, line 16: not `Field: value`",
            ]
        );
    }

    #[test]
    fn files_have_the_sums_of_their_package() {
        let folder = tempfile::tempdir().expect("a folder");
        let admindir = folder.path().join("var/lib/dpkg");
        fs::create_dir_all(admindir.join("info")).expect("a folder");
        fs::create_dir_all(admindir.join("status.d")).expect("a folder");
        let write = |name: &str, text: &str| fs::write(admindir.join(name), text).expect("a file");
        let sum = "0123456789ABCDEF0123456789abcdef";
        write("info/a:amd64.list", "/.\n/usr\n/usr/a b\n");
        write("info/a:amd64.md5sums", &format!("{sum}  usr/a b\nbad\n"));
        write("info/b.list", "/b\n");
        write("info/a:amd64.postinst", "");
        write("status.d/c.md5sums", &format!("{sum}  usr/c\n"));
        let sys = Sys::at(folder.path());
        let errors = std::cell::RefCell::new(Vec::new());
        let report = |_: &str, error: &Error| errors.borrow_mut().push(error.to_string());
        let lists = file_lists(&sys, ADMINDIR, None, &report).expect("a database");
        let rows = |list: &FileList| {
            let arch = list.arch.clone().unwrap_or_default();
            let files = list.files(&sys, true, &report).expect("no limit of memory").into_iter();
            let row = |(path, sum): (String, _)| format!("{} {arch} {path} {}", list.package, Option::is_some(&sum));
            files.map(|file: (String, Option<String>)| row(file)).collect::<Vec<_>>()
        };
        let found: Vec<_> = lists.iter().flat_map(rows).collect();
        assert_eq!(
            found,
            ["a amd64 /. false", "a amd64 /usr false", "a amd64 /usr/a b true", "b  /b false", "c  /usr/c true"]
        );
        let errors = errors.borrow().clone();
        assert!(errors[0].contains("a:amd64.md5sums, line 2"), "{errors:?}");
        let some = file_lists(&sys, ADMINDIR, Some(&["b".to_owned(), "x".to_owned()]), &report).expect("a database");
        assert_eq!(some.len(), 1);
        let (sys, limit) = crate::source::held::limited(folder.path(), 1 << 20);
        for (list, sums) in
            [("/b\n".repeat(10_000), String::new()), (String::new(), format!("{sum}  b\n").repeat(9000))]
        {
            write("info/b.list", &list);
            write("info/b.md5sums", &sums);
            let outcome = some[0].files(&sys, true, &report);
            assert!(matches!(outcome, Err(Error::OutOfMemory(_))), "{outcome:?}");
        }
        assert_eq!(limit.left(), 1 << 20);
    }

    #[test]
    fn any_sum_is_read() {
        damaged(b"0123456789abcdef0123456789abcdef  usr/bin/a", |line| {
            let _may_be_none = sum(line);
        });
        assert_eq!(revision("1:2.0-3-4"), "4");
        assert_eq!(revision("2.0"), "");
    }
}
