//! The orders in which text can be compared: SQLite's three, and osquery's four for versions.

use std::cmp::Ordering;

/// How text compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Collation {
    /// By bytes.
    #[default]
    Binary,
    /// By bytes, ignoring the case of ASCII letters.
    Nocase,
    /// By bytes, ignoring trailing spaces.
    Rtrim,
    /// As versions.
    Version,
    /// As versions, by the rules of pacman.
    VersionArch,
    /// As versions, by the rules of dpkg.
    VersionDpkg,
    /// As versions, by the rules of RPM.
    VersionRhel,
}

impl Collation {
    /// The collation with a name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "binary" => Self::Binary,
            "nocase" => Self::Nocase,
            "rtrim" => Self::Rtrim,
            "version" => Self::Version,
            "version_arch" => Self::VersionArch,
            "version_dpkg" => Self::VersionDpkg,
            "version_rhel" => Self::VersionRhel,
            _ => return None,
        })
    }

    /// The name in lowercase.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Nocase => "nocase",
            Self::Rtrim => "rtrim",
            Self::Version => "version",
            Self::VersionArch => "version_arch",
            Self::VersionDpkg => "version_dpkg",
            Self::VersionRhel => "version_rhel",
        }
    }

    /// Orders two texts.
    pub fn compare(self, left: &str, right: &str) -> Ordering {
        match self {
            Self::Binary => left.as_bytes().cmp(right.as_bytes()),
            Self::Nocase | Self::Rtrim => self.key(left).as_bytes().cmp(self.key(right).as_bytes()),
            _ => self.compare_versions(left, right),
        }
    }

    /// A text whose byte order is this order.
    pub fn key(self, text: &str) -> String {
        match self {
            Self::Binary => text.to_owned(),
            Self::Nocase => text.to_ascii_lowercase(),
            Self::Rtrim => text.trim_end_matches(' ').to_owned(),
            _ => self.version_key(text),
        }
    }

    fn tilde_is_lowest(self) -> bool {
        matches!(self, Self::VersionArch | Self::VersionDpkg | Self::VersionRhel)
    }

    fn caret_is_special(self) -> bool {
        matches!(self, Self::VersionArch | Self::VersionRhel)
    }

    fn compare_versions(self, left: &str, right: &str) -> Ordering {
        self.version_key(left).as_bytes().cmp(self.version_key(right).as_bytes())
    }

    /// `~` sorts below the end, the end below `^`, and all of them below a segment; numbers sort by length, then
    /// digits.
    fn version_key(self, text: &str) -> String {
        let mut key = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match c {
                '~' if self.tilde_is_lowest() => {
                    key.push('\u{1}');
                    rest = &rest[1..];
                }
                '^' if self.caret_is_special() => {
                    key.push('\u{3}');
                    rest = &rest[1..];
                }
                '.' | '-' | ':' | '^' | '~' => {
                    key.push('\u{4}');
                    rest = &rest[1..];
                }
                c if c.is_ascii_digit() => {
                    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                    let digits = rest[..end].trim_start_matches('0');
                    // The length comes first, so a longer number sorts higher.
                    key.push('6');
                    key.push(char::from_u32(0x100 + digits.len().min(0xfff) as u32).unwrap_or('\u{fff}'));
                    key.push_str(digits);
                    rest = &rest[end..];
                }
                _ => {
                    let end = rest
                        .find(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '^' | '~'))
                        .unwrap_or(rest.len());
                    key.push('5');
                    key.push_str(&rest[..end]);
                    rest = &rest[end..];
                }
            }
        }
        key.push('\u{2}');
        key
    }
}
