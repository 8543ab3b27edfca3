//! Which users can write a file. A file that other users can write must not decide which programs run and which files
//! are read.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::io::Errno;

/// Most links in one path, the same as the kernel's limit.
const MOST_LINKS: usize = 40;

/// Which user, other than `user` and root, can write or replace the target of a path, and how to fix that.
///
/// The path is checked from the root down, through each link, so that nobody else can replace a directory that was
/// checked before.
pub(super) fn other_writer(path: &Path, user: u32) -> io::Result<Option<String>> {
    let names = |path: &Path| path.components().map(|part| part.as_os_str().to_owned()).collect::<VecDeque<_>>();
    let mut left: VecDeque<OsString> = names(&std::path::absolute(path)?);
    let (mut here, mut links) = (PathBuf::new(), 0);
    while let Some(name) = left.pop_front() {
        if name == "." {
            continue;
        }
        if name == ".." {
            here.pop();
            continue;
        }
        let place = here.join(name);
        let metadata = fs::symlink_metadata(&place)?;
        let is_read_only = || statvfs(&place).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY));
        if let Some(fault) = fault(&metadata, user, is_read_only) {
            return Ok(Some(told(&place, &metadata, fault)));
        }
        if !metadata.is_symlink() {
            here = place;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let mut target = names(&fs::read_link(&place)?);
        target.append(&mut left);
        left = target;
    }
    Ok(None)
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Owner(u32),
    Mode(u32),
}

/// Why users other than `user` and root can write a file, or replace a file in a directory; `None` if they cannot.
fn fault(metadata: &Metadata, user: u32, is_read_only: impl Fn() -> bool) -> Option<Fault> {
    if metadata.uid() != 0 && metadata.uid() != user {
        return Some(Fault::Owner(metadata.uid()));
    }
    let mode = metadata.mode() & 0o7777;
    // In a directory such as /tmp, only the owner of a file can replace it. A link cannot be written, only its
    // directory. Permissions of an ACL appear in the group bits.
    let is_safe = metadata.is_symlink() || metadata.is_dir() && mode & 0o1000 != 0;
    (mode & 0o022 != 0 && !is_safe && !is_read_only()).then_some(Fault::Mode(mode))
}

fn told(place: &Path, metadata: &Metadata, fault: Fault) -> String {
    let what = match metadata {
        folder if folder.is_dir() => "its directory ",
        link if link.is_symlink() => "the link ",
        _ => "",
    };
    let place = place.display();
    match fault {
        Fault::Owner(owner) => format!(
            "{what}{place} belongs to user {owner}, which is neither you nor root; use your own copy, or `chown` it"
        ),
        Fault::Mode(mode) => {
            format!("other users can write {what}{place} (mode {mode:04o}); `chmod go-w {place}`")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;
    use crate::sys::tests::Folder;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed mode");
    }

    fn own() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn writer(path: &Path) -> Option<String> {
        other_writer(path, own()).expect("it is there")
    }

    /// A file in a directory of its own.
    fn file(folder: &Path) -> PathBuf {
        let file = folder.join("file");
        fs::write(&file, "x").expect("written");
        file
    }

    #[test]
    fn a_file_that_others_can_write_is_told() {
        let folder = Folder::new("trust-file");
        let file = file(&folder.0);
        assert_eq!(writer(&file), None);
        for others in [0o620, 0o602, 0o666, 0o664] {
            mode(&file, others);
            let place = file.display();
            let expected = format!("other users can write {place} (mode {others:04o}); `chmod go-w {place}`");
            assert_eq!(writer(&file), Some(expected));
        }
        mode(&file, 0o755);
        assert_eq!(writer(&file), None, "others may read it");
        assert!(
            other_writer(&folder.0.join("none"), own()).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        );
    }

    #[test]
    fn a_folder_on_the_way_that_others_can_write_is_told() {
        let outer = Folder::new("trust-folder");
        let inner = outer.0.join("inner");
        fs::create_dir(&inner).expect("created");
        let file = file(&inner);
        for folder in [&inner, &outer.0] {
            for others in [0o777, 0o770, 0o730] {
                mode(folder, others);
                let told = writer(&file).expect("others can replace it");
                let expected = format!("other users can write its directory {} (mode {others:04o})", folder.display());
                assert!(told.starts_with(&expected), "{told}");
            }
            mode(folder, 0o1777);
            assert_eq!(writer(&file), None, "the sticky bit prevents that others replace it");
            mode(folder, 0o755);
        }
    }

    #[test]
    fn links_are_followed_and_their_own_folders_count() {
        let (trusted, open) = (Folder::new("trust-links"), Folder::new("trust-open"));
        let (good, bad) = (file(&trusted.0), file(&open.0));
        symlink("file", trusted.0.join("relative")).expect("created");
        symlink(&good, open.0.join("in-open")).expect("created");
        symlink(&bad, trusted.0.join("to-open")).expect("created");
        symlink("round", trusted.0.join("round")).expect("created");
        mode(&open.0, 0o777);
        assert_eq!(writer(&trusted.0.join("relative")), None);
        assert_eq!(writer(&trusted.0.join("run/../relative")), None);
        for link in [open.0.join("in-open"), trusted.0.join("to-open")] {
            let told = writer(&link).expect("others can put another file or link there");
            assert!(told.contains(&format!("its directory {}", open.0.display())), "{told}");
        }
        mode(&open.0, 0o1777);
        assert_eq!(writer(&open.0.join("in-open")), None);
        let round = other_writer(&trusted.0.join("round"), own()).map_err(|error| error.raw_os_error());
        assert_eq!(round, Err(Some(Errno::LOOP.raw_os_error())));
        // A link of another user in a sticky directory. Only root can create one here.
        if own() == 0 {
            std::os::unix::fs::lchown(open.0.join("in-open"), Some(1234), None).expect("root may");
            let told = writer(&open.0.join("in-open")).expect("another user's link");
            assert!(told.starts_with("the link ") && told.contains(" belongs to user 1234,"), "{told}");
            chown(&good, Some(1234), None).expect("root may");
            let told = writer(&good).expect("another user's file");
            assert_eq!(
                told,
                format!(
                    "{} belongs to user 1234, which is neither you nor root; use your own copy, or `chown` it",
                    good.display()
                )
            );
        }
    }

    #[test]
    fn owners_count_and_nobody_writes_on_a_read_only_mount() {
        let folder = Folder::new("trust-owner");
        let file = file(&folder.0);
        let metadata = || file.metadata().expect("there");
        let owner = metadata().uid();
        assert_eq!(fault(&metadata(), owner, || false), None);
        let expected = (owner != 0).then_some(Fault::Owner(owner));
        assert_eq!(fault(&metadata(), owner + 1, || false), expected, "root is trusted, another user is not");
        mode(&file, 0o666);
        assert_eq!(fault(&metadata(), owner, || true), None);
        assert_eq!(fault(&metadata(), owner, || false), Some(Fault::Mode(0o666)));
    }
}
