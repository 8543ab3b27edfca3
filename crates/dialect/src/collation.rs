//! The orders in which text can be compared: SQLite's three, osquery's four for versions, and two more for versions.

use std::cmp::Ordering;

use indago_versions as versions;

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
    /// As versions, by the rules of Python packages (PEP 440).
    VersionPep440,
    /// As versions, by the rules of Semantic Versioning.
    VersionSemver,
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
            "version_pep440" => Self::VersionPep440,
            "version_semver" => Self::VersionSemver,
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
            Self::VersionPep440 => "version_pep440",
            Self::VersionSemver => "version_semver",
        }
    }

    /// Orders two texts.
    pub fn compare(self, left: &str, right: &str) -> Ordering {
        match self {
            Self::Binary => left.as_bytes().cmp(right.as_bytes()),
            _ => self.key(left).as_bytes().cmp(self.key(right).as_bytes()),
        }
    }

    /// A text whose byte order is this order.
    pub fn key(self, text: &str) -> String {
        match self {
            Self::Binary => text.to_owned(),
            Self::Nocase => text.to_ascii_lowercase(),
            Self::Rtrim => text.trim_end_matches(' ').to_owned(),
            Self::Version | Self::VersionArch => self.version_key(text),
            Self::VersionDpkg => versions::dpkg(text),
            Self::VersionRhel => versions::rpm(text),
            Self::VersionPep440 => versions::pep440(text),
            Self::VersionSemver => versions::semver(text),
        }
    }

    /// `~` sorts below the end, the end below `^`, and all of them below a segment; numbers sort by length, then
    /// digits.
    fn version_key(self, text: &str) -> String {
        let mut key = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match c {
                '~' if self == Self::VersionArch => {
                    key.push('\u{1}');
                    rest = &rest[1..];
                }
                '^' if self == Self::VersionArch => {
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
