//! `portage_keywords`: one row per keyword, mask and unmask that the administrator of Portage configured.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::held::{HeldList, owned};
use crate::source::portage::split_version;

const FOLDER: &str = "/etc/portage";

/// Most files and directories that are read.
const MOST_NAMES: usize = 10_000;
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
            return Err(Error::Absent(format!("Portage is not configured ({FOLDER} is missing)")));
        }
        let mut rows = HeldList::new(sys);
        let mut left = MOST_NAMES;
        for (name, is_mask, is_unmask) in [
            ("package.accept_keywords", false, false),
            ("package.keywords", false, false),
            ("package.mask", true, false),
            ("package.unmask", false, true),
        ] {
            let mut files = Vec::new();
            find(sys, Path::new(FOLDER).join(name), 0, &mut left, &mut files, &|error| scan.report("portage", error));
            for file in files {
                let text = match sys.read_text(&file) {
                    Ok(text) => text,
                    Err(error) => {
                        scan.report("portage", &error);
                        continue;
                    }
                };
                let found = text.lines().flat_map(entries).map(|row| PortageKeyword {
                    mask: is_mask.into(),
                    unmask: is_unmask.into(),
                    ..row
                });
                add(found, &mut rows)?;
            }
        }
        Ok(rows.into_iter())
    }
}

/// The files at a path: itself, or the files below it. `left` is how many names may still be read: links can lead to
/// the same directory many times.
fn find(sys: &Sys, path: PathBuf, depth: usize, left: &mut usize, files: &mut Vec<PathBuf>, report: &impl Fn(&Error)) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    if *left == 0 {
        let what = format!("more than {MOST_NAMES} files and directories; {} and others were skipped", path.display());
        return report(&Error::Malformed(what));
    }
    match sys.metadata(&path).if_present() {
        Ok(Some(metadata)) if metadata.is_dir() && depth < DEEPEST => match sys.read_dir(&path) {
            Ok(mut names) => {
                names.sort_unstable();
                let is_used = |name: &[u8]| !name.starts_with(b".") && !name.ends_with(b"~");
                for name in names.into_iter().filter(|name| is_used(name.as_encoded_bytes())) {
                    find(sys, path.join(name), depth + 1, left, files, report);
                }
            }
            Err(error) => report(&error),
        },
        Ok(Some(metadata)) if !metadata.is_dir() => files.push(path),
        Ok(_) => {}
        Err(error) => report(&error),
    }
}

fn add(mut found: impl Iterator<Item = PortageKeyword>, rows: &mut HeldList<PortageKeyword>) -> Result<()> {
    found.try_for_each(|row| {
        let owned = owned([&row.package, &row.version, &row.keyword, &row.operator]);
        rows.push(row, owned)
    })
}

/// The entries on a line: a package, and keywords in the files of keywords.
fn entries(line: &str) -> impl Iterator<Item = PortageKeyword> {
    let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
    let atom = words.next();
    // A package without keywords is one entry.
    let first = atom.map(|_| words.next().unwrap_or_default());
    let atom = atom.unwrap_or_default();
    let name = atom.trim_start_matches(['<', '>', '=', '~', '!']);
    let operator = &atom[..atom.len() - name.len()];
    // A slot and a repository may follow.
    let name = name.split(':').next().unwrap_or_default();
    let (package, version) = match split_version(name) {
        Some(split) if !operator.is_empty() => split,
        _ => (name, ""),
    };
    first.into_iter().chain(words).map(move |keyword| PortageKeyword {
        package: package.to_owned(),
        version: version.to_owned(),
        keyword: keyword.to_owned(),
        operator: operator.to_owned(),
        ..PortageKeyword::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_charged_with_each_of_its_keywords() {
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = crate::source::held::limited(root.path(), 1 << 20);
        let mut rows = HeldList::new(&sys);
        let line = "p".repeat(10_000) + &" k".repeat(200);
        assert!(matches!(add(entries(&line), &mut rows), Err(Error::OutOfMemory(_))));
        assert!((50..105).contains(&rows.len()), "{}", rows.len());
        drop(rows);
        assert_eq!(limit.left(), 1 << 20);
    }

    #[test]
    fn directories_that_link_to_themselves_end() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::write(root.path().join("file"), "").expect("a file");
        for name in ["a", "b", "c"] {
            std::os::unix::fs::symlink(".", root.path().join(name)).expect("a link");
        }
        let reported = std::cell::RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let read = |mut left: usize| {
            let mut files = Vec::new();
            find(&Sys::at(root.path()), "/".into(), DEEPEST - 2, &mut left, &mut files, &report);
            files.len()
        };
        // The file, by itself and through each link.
        assert_eq!(read(MOST_NAMES), 4);
        assert!(reported.take().is_empty());
        assert_eq!(read(5), 0);
        assert_eq!(reported.take().len(), 1);
    }

    #[test]
    fn lines_name_packages_and_keywords() {
        let show = |line| {
            let show =
                |row: PortageKeyword| format!("{}|{}|{}|{}", row.operator, row.package, row.version, row.keyword);
            entries(line).map(show).collect::<Vec<_>>()
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
