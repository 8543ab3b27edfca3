//! Readers of a repository's parts, which the tables share.

pub(crate) mod ahead;
pub(crate) mod commit;
pub(crate) mod config;
pub(crate) mod encoding;
pub(crate) mod find;
pub(crate) mod folder;
pub(crate) mod graph;
pub(crate) mod lines;
pub(crate) mod objects;
pub(crate) mod pack;
pub(crate) mod refs;
pub(crate) mod reftable;
pub(crate) mod rename;
pub(crate) mod revision;
pub(crate) mod store;
pub(crate) mod tree;
pub(crate) mod walk;

use std::path::Path;

/// Bytes as text; anything that is not UTF-8 becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes from a repository as a path.
#[cfg(unix)]
pub(crate) fn path(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// Whether a text matches a `LIKE` pattern.
pub(crate) fn is_like(text: &str, like: &str, ignore_case: bool) -> bool {
    let is_same = |a: char, b: char| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
    let (text, like): (Vec<char>, Vec<char>) = (text.chars().collect(), like.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where to resume if the text after the last `%` does not match.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match like.get(of) {
            Some('%') => {
                of += 1;
                retry = Some((at, of));
            }
            Some(wanted) if *wanted == '_' || is_same(*wanted, text[at]) => (at, of) = (at + 1, of + 1),
            _ => match &mut retry {
                Some((start, behind)) => {
                    *start += 1;
                    (at, of) = (*start, *behind);
                }
                None => return false,
            },
        }
    }
    like[of..].iter().all(|rest| *rest == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_patterns_match_as_in_sql() {
        let cases = [
            ("/src/app", "%/app", true),
            ("/src/app", "/src/%", true),
            ("/src/app", "%", true),
            ("/src/app", "/SRC/app", true),
            ("/src/app", "/s_c%p", true),
            ("/src/app", "%src%ap", false),
            ("/src/app", "/src", false),
            ("aab", "%ab", true),
            ("", "%", true),
            ("", "_", false),
            ("grüße", "gr__e", true),
        ];
        for (text, like, expected) in cases {
            assert_eq!(is_like(text, like, true), expected, "{text} LIKE {like}");
        }
        assert!(!is_like("/src/app", "/SRC/app", false));
    }
}
