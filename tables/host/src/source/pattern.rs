//! `LIKE` patterns for paths.
//!
//! `%` stays within one level, as a shell's `*` does, and does not match a leading dot. `%%` matches all levels below.
//! `_` is one character. So a pattern reads few directories, whereas SQL's own meaning of `/etc/%` would read the
//! entire tree. Every path found also matches SQL's meaning.

/// A pattern, split into levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathPattern {
    pub(crate) levels: Vec<Level>,
    pub(crate) folders: Folders,
}

/// How a pattern finds directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folders {
    /// As other files.
    Plain,
    /// It ends in a wildcard: the path of a directory ends in a slash, as osquery's, so that exceptions of queries for
    /// osquery match.
    Marked,
    /// It ends in a slash: it finds directories only, with that slash.
    Only,
}

impl Folders {
    fn of(pattern: &str) -> Self {
        match pattern.as_bytes().last() {
            Some(b'/') => Folders::Only,
            Some(b'%') => Folders::Marked,
            _ => Folders::Plain,
        }
    }
}

/// The condition of a pattern on one level of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Level {
    /// Exactly this name.
    Name(String),
    /// Any name that matches.
    Like(Like),
    /// Any name like `first` here, and any name like `deeper` in the directories below those like `folders`.
    Deep {
        /// Matches names on this level.
        first: Like,
        /// Directories of this level that are entered.
        folders: Like,
        /// Matches names on the levels below.
        deeper: Like,
    },
}

impl PathPattern {
    /// Splits a pattern into levels; `None` if it does not start at the root.
    pub(crate) fn parse(like: &str, ignore_case: bool) -> Option<Self> {
        let rest = like.strip_prefix('/')?;
        let names = rest.split('/').filter(|name| !name.is_empty());
        let level = |name: &str| match name.split_once("%%") {
            Some((before, after)) => Level::Deep {
                first: Like::new(name, ignore_case),
                folders: Like::new(&format!("{before}%"), ignore_case),
                deeper: Like::new(&format!("%{after}"), ignore_case),
            },
            None if name.contains(['%', '_']) => Level::Like(Like::new(name, ignore_case)),
            None => Level::Name(name.to_owned()),
        };
        Some(PathPattern { levels: names.map(level).collect(), folders: Folders::of(rest) })
    }

    /// Converts a displayed path, with U+FFFD where its bytes are not UTF-8, to a pattern that matches all names
    /// displayed that way; `None` if the path has no U+FFFD.
    pub(crate) fn of_lossy(path: &str) -> Option<Self> {
        let below = path.strip_prefix('/').filter(|below| below.contains(char::REPLACEMENT_CHARACTER))?;
        let level = |name: &str| match name.contains(char::REPLACEMENT_CHARACTER) {
            true => {
                Level::Like(Like { parts: name.chars().map(Part::Is).collect(), text: "%".into(), ignore_case: false })
            }
            false => Level::Name(name.to_owned()),
        };
        let names = below.split('/').filter(|name| !name.is_empty());
        let folders = if below.ends_with('/') { Folders::Only } else { Folders::Plain };
        Some(PathPattern { levels: names.map(level).collect(), folders })
    }

    /// Whether it can find the same path twice.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.levels.iter().filter(|level| matches!(level, Level::Deep { .. })).count() > 1
    }
}

/// A `LIKE` pattern for names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Like {
    text: String,
    parts: Vec<Part>,
    ignore_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Is(char),
}

impl Like {
    pub(crate) fn new(text: &str, ignore_case: bool) -> Self {
        let part = |character| match character {
            '%' => Part::Any,
            '_' => Part::One,
            other => Part::Is(other),
        };
        let mut parts: Vec<Part> = text.chars().map(part).collect();
        parts.dedup_by(|next, part| *part == Part::Any && *next == Part::Any);
        Like { text: text.to_owned(), parts, ignore_case }
    }

    /// The single name that it matches if `_` is taken literally; `None` if it has a `%`.
    pub(crate) fn as_name(&self) -> Option<&str> {
        (!self.text.contains('%')).then_some(&self.text)
    }

    /// Whether a name matches. A leading dot must be written out.
    pub(crate) fn matches(&self, name: &str) -> bool {
        if name.starts_with('.') && self.parts.first() != Some(&Part::Is('.')) {
            return false;
        }
        if self.parts == [Part::Any] {
            return true;
        }
        let name: Vec<char> = name.chars().collect();
        let same = |part: Part, character: char| match part {
            Part::Any => false,
            Part::One => true,
            Part::Is(other) if self.ignore_case => other.eq_ignore_ascii_case(&character),
            Part::Is(other) => other == character,
        };
        let (mut part, mut at) = (0, 0);
        // Where to resume if the text after a `%` did not match: one character further on.
        let mut retry: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.parts.get(part) {
                Some(Part::Any) => {
                    retry = Some((part + 1, at));
                    part += 1;
                }
                Some(&other) if same(other, name[at]) => {
                    part += 1;
                    at += 1;
                }
                _ => {
                    let Some((after, from)) = retry else { return false };
                    retry = Some((after, from + 1));
                    part = after;
                    at = from + 1;
                }
            }
        }
        self.parts[part..].iter().all(|part| *part == Part::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_sql_but_for_the_leading_dot() {
        for (pattern, name, matches) in [
            ("%", "passwd", true),
            ("%", "", true),
            ("%", ".bashrc", false),
            (".%", ".bashrc", true),
            (".b%", ".bashrc", true),
            ("_bashrc", ".bashrc", false),
            ("pass%", "passwd", true),
            ("%wd", "passwd", true),
            ("p%s%d", "passwd", true),
            ("p%x%d", "passwd", false),
            ("p_sswd", "passwd", true),
            ("p__sswd", "passwd", false),
            ("%a%a%a%b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("%.log", "a.log.log", true),
            ("PASSWD", "passwd", true),
            ("\u{c4}", "\u{e4}", false),
            ("_", "\u{e4}", true),
            ("passwd", "passwd-", false),
        ] {
            assert_eq!(Like::new(pattern, true).matches(name), matches, "{pattern} on {name}");
        }
        assert!(!Like::new("PASSWD", false).matches("passwd"));
    }

    #[test]
    fn patterns_fall_into_levels() {
        let parse = |like| PathPattern::parse(like, false).map(|pattern| pattern.levels.len());
        assert_eq!(parse("/etc/%"), Some(2));
        assert_eq!(parse("/"), Some(0));
        assert_eq!(parse("//etc///x"), Some(2));
        assert_eq!(parse("%/passwd"), None);
        assert_eq!(parse(""), None);
        let pattern = PathPattern::parse("/home/a%%.txt/", false).expect("starts at the root");
        assert_eq!(pattern.folders, Folders::Only);
        let Level::Deep { first, folders, deeper } = &pattern.levels[1] else { panic!("{pattern:?}") };
        assert!(first.matches("ab.txt") && !first.matches("b.txt"));
        assert!(folders.matches("ab") && !folders.matches("b"));
        assert!(deeper.matches("b.txt"));
    }
}
