//! Shell patterns in the include directives of settings files.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::texts::Texts;

/// Most paths that a pattern may name.
const MOST_PATHS: usize = 10_000;
/// Longest pattern in bytes: the kernel's limit of a path.
const LONGEST_PATTERN: usize = 4096;

/// The existing paths that match an absolute pattern, sorted: `*` and `?` match within a name, but not a leading dot.
/// A `[..]` matches one of its characters.
pub(crate) fn expand(texts: &Texts<'_>, pattern: &str) -> Vec<PathBuf> {
    expand_some(texts, pattern, MOST_PATHS)
}

fn expand_some(texts: &Texts<'_>, pattern: &str, most: usize) -> Vec<PathBuf> {
    if pattern.len() > LONGEST_PATTERN {
        let start = pattern.chars().take(100).collect::<String>();
        let what = format!("the pattern {start}.. is longer than {LONGEST_PATTERN} bytes; it was skipped");
        texts.report(&Error::Malformed(what));
        return Vec::new();
    }
    let mut paths = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !part.contains(['*', '?', '[']) {
            paths.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut found = Vec::new();
        // The paths and the names of each are sorted, and so are the results.
        for path in &paths {
            let mut names = texts.got(texts.sys.read_dir(path)).unwrap_or_default();
            names.retain(|name| matches(part.as_bytes(), name.as_encoded_bytes()));
            names.sort_unstable();
            found.extend(names.into_iter().take(most + 1 - found.len()).map(|name| path.join(name)));
            if found.len() > most {
                let what = format!("{pattern} matches more than {most} paths; the others were skipped");
                texts.report(&Error::Malformed(what));
                found.truncate(most);
                break;
            }
        }
        paths = found;
    }
    paths.retain(|path| texts.sys.exists(path));
    paths
}

/// The pattern of an include directive as an absolute one.
pub(crate) fn absolute(pattern: &str, directory: &Path) -> String {
    if pattern.starts_with('/') { pattern.to_owned() } else { format!("{}/{pattern}", directory.display()) }
}

/// Whether a name matches a pattern. Takes time in proportion to the product of their lengths at most.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut at, mut position) = (0, 0);
    // Where to continue if the characters after the last `*` do not match.
    let mut star = None;
    while position < name.len() {
        let step = match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, position));
                at += 1;
                continue;
            }
            Some(b'?') => Some(at + 1),
            Some(b'[') => class(pattern, at, name[position]),
            Some(b'\\') if at + 1 < pattern.len() => (pattern[at + 1] == name[position]).then_some(at + 2),
            Some(byte) => (*byte == name[position]).then_some(at + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => (at, position) = (next, position + 1),
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                (at, position) = (after, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|byte| *byte == b'*')
}

/// The position after a `[..]` that has the byte. An unclosed `[` is a character.
fn class(pattern: &[u8], open: usize, byte: u8) -> Option<usize> {
    let inside = open + 1 + usize::from(matches!(pattern.get(open + 1), Some(b'!' | b'^')));
    let close = pattern.iter().skip(inside + 1).position(|byte| *byte == b']').map(|found| inside + 1 + found);
    let Some(close) = close else { return (byte == b'[').then_some(open + 1) };
    let mut has = false;
    let mut at = inside;
    while at < close {
        let first = pattern[at];
        let range = pattern.get(at + 1) == Some(&b'-') && at + 2 < close;
        let last = if range { pattern[at + 2] } else { first };
        has |= (first..=last).contains(&byte);
        at += if range { 3 } else { 1 };
    }
    (has == (inside == open + 1)).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            (".*", ".conf", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "", false),
            ("[0-9][!a]x", "5bx", true),
            ("[0-9][!a]x", "5ax", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a", "ab", false),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
        let slow = "*a".repeat(2000);
        assert!(!matches(slow.as_bytes(), "a".repeat(1900).as_bytes()));
    }

    #[test]
    fn patterns_find_sorted_paths() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["a/x.conf", "b/x.conf", "b/w.conf", "b/.h.conf", "c"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            std::fs::write(path, "").expect("a file");
        }
        let sys = Sys::at(root.path());
        let report = |error: &Error| panic!("{error}");
        let texts = Texts::new(&sys, &report);
        let paths = |pattern: &str| expand(&texts, pattern);
        assert_eq!(paths("/[ab]/*.conf"), ["/a/x.conf", "/b/w.conf", "/b/x.conf"].map(PathBuf::from));
        assert_eq!(paths("/b/w.conf"), [PathBuf::from("/b/w.conf")]);
        assert_eq!(paths("/b/none"), [""; 0].map(PathBuf::from));
        assert_eq!(absolute("x/*", Path::new("/etc/ssh")), "/etc/ssh/x/*");
    }

    #[test]
    fn long_patterns_and_many_paths_are_reported() {
        let root = tempfile::tempdir().expect("a directory");
        for name in ["a", "b", "c"] {
            std::os::unix::fs::symlink(".", root.path().join(name)).expect("a link");
        }
        let sys = Sys::at(root.path());
        let reported = std::cell::RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let texts = Texts::new(&sys, &report);
        assert_eq!(expand_some(&texts, "/*/*", 9).len(), 9);
        assert_eq!(reported.take(), [""; 0]);
        assert_eq!(expand_some(&texts, "/*/*", 4), ["/a/a", "/a/b", "/a/c", "/b/a"].map(PathBuf::from));
        assert_eq!(reported.take(), ["/*/* matches more than 4 paths; the others were skipped"]);
        assert_eq!(expand(&texts, &"/".repeat(LONGEST_PATTERN)).len(), 1);
        assert_eq!(expand(&texts, &"/".repeat(LONGEST_PATTERN + 1)), [""; 0].map(PathBuf::from));
        assert!(matches!(reported.take().as_slice(), [only] if only.contains("longer than 4096 bytes")));
    }
}
