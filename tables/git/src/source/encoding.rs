//! Decodes texts of commits that are not UTF-8, as `git log` does.
//!
//! git uses iconv to convert the entire commit from the encoding that its header declares. It leaves the commit
//! unchanged if iconv does not know the encoding or finds invalid bytes.

use std::borrow::Cow;

use encoding_rs::{Encoding as Table, UTF_8, UTF_16BE, UTF_16LE, mem};

/// The encoding that a commit declares.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Encoding {
    /// Each byte is the code point of its character.
    Latin1,
    /// The Web's encoding of the name, and the characters for which iconv differs.
    Table(&'static Table, &'static [(char, char)]),
}

/// Characters of Japanese encodings that iconv takes from the standard, and the Web from Windows.
const JAPANESE: &[(char, char)] = &[
    ('\u{ff5e}', '\u{301c}'),
    ('\u{2225}', '\u{2016}'),
    ('\u{ff0d}', '\u{2212}'),
    ('\u{ffe0}', '\u{a2}'),
    ('\u{ffe1}', '\u{a3}'),
    ('\u{ffe2}', '\u{ac}'),
    // Only in Shift_JIS.
    ('\\', '\u{a5}'),
    ('~', '\u{203e}'),
];

/// Names that iconv knows but the Web does not.
const NAMES: &[(&str, &str)] = &[
    ("cp932", "windows-31j"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("cp950", "big5"),
    ("eucjp", "euc-jp"),
    ("euckr", "euc-kr"),
    ("euccn", "gb2312"),
    ("euc-cn", "gb2312"),
    ("iso885915", "iso-8859-15"),
    ("latin-9", "iso-8859-15"),
    ("latin9", "iso-8859-15"),
    ("latin7", "iso-8859-13"),
    ("latin8", "iso-8859-14"),
    ("latin10", "iso-8859-16"),
    ("koi8u", "koi8-u"),
    ("mac-cyrillic", "x-mac-cyrillic"),
];

const LATIN1: &[&str] =
    &["iso-8859-1", "iso8859-1", "iso88591", "8859-1", "latin1", "latin-1", "l1", "cp819", "ibm819"];

impl Encoding {
    /// The encoding of a name; `None` for UTF-8 and for unknown names.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        // A suffix tells iconv how to treat unknown characters.
        let name = name.split("//").next().unwrap_or_default().trim();
        let plain = name.replace('_', "-");
        if LATIN1.contains(&plain.as_str()) {
            return Some(Encoding::Latin1);
        }
        let known = NAMES.iter().find(|(other, _)| *other == plain).map_or(plain.as_str(), |(_, known)| known);
        // The Web treats ASCII as windows-1252. No commit is in UTF-16, because it would be full of NULs.
        if known.contains("ascii") || known == "x-user-defined" {
            return None;
        }
        let table = Table::for_label(known.as_bytes()).or_else(|| Table::for_label(name.as_bytes()))?;
        let is_other = ![UTF_8, UTF_16LE, UTF_16BE].contains(&table);
        let others = match known {
            "shift-jis" | "sjis" => JAPANESE,
            "euc-jp" => &JAPANESE[..6],
            "gb2312" => &[('\u{b7}', '\u{30fb}'), ('\u{2014}', '\u{2015}')],
            _ => &[],
        };
        is_other.then_some(Encoding::Table(table, others))
    }

    /// Bytes as text; `None` if they are invalid in the encoding.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Encoding::Latin1 => Some(mem::decode_latin1(bytes)),
            Encoding::Table(table, others) => {
                let text = table.decode_without_bom_handling_and_without_replacement(bytes)?;
                let other = |character| others.iter().find(|(web, _)| *web == character).map_or(character, |(_, c)| *c);
                Some(if others.is_empty() { text } else { text.chars().map(other).collect::<String>().into() })
            }
        }
    }

    /// Whether ASCII text is the same in this encoding.
    pub(crate) fn keeps_ascii(self) -> bool {
        match self {
            Encoding::Latin1 => true,
            Encoding::Table(table, others) => table.is_ascii_compatible() && !others.iter().any(|(c, _)| c.is_ascii()),
        }
    }
}
