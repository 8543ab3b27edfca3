//! Commit and tag objects, parsed without copying.

use std::borrow::Cow;

use git2::Oid;
use indago_table::{Sys, Timestamp};

use crate::source::encoding::Encoding;

/// The parts of a commit object; missing header lines are empty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Commit<'a> {
    tree: &'a [u8],
    /// The `parent` lines, joined.
    parents: &'a [u8],
    author: &'a [u8],
    committer: &'a [u8],
    encoding: Option<&'a [u8]>,
    /// The encoding to convert its texts from.
    convert: Option<Encoding>,
    signature: Option<&'a [u8]>,
    message: &'a [u8],
}

/// Length of the line `tree <id>`.
const TREE: usize = 46;
/// Length of a line `parent <id>`.
const PARENT: usize = 48;

impl<'a> Commit<'a> {
    pub(crate) fn parse(raw: &'a [u8]) -> Self {
        let mut commit = Commit::default();
        let mut rest = raw;
        if let Some(after) = rest.strip_prefix(b"tree ") {
            (commit.tree, rest) = line(after);
        }
        let mut end = rest;
        while end.len() >= PARENT && end.starts_with(b"parent ") && end[PARENT - 1] == b'\n' {
            end = &end[PARENT..];
        }
        commit.parents = &rest[..rest.len() - end.len()];
        rest = end;
        while !rest.is_empty() {
            let (header, after) = line(rest);
            if header.is_empty() {
                commit.message = after;
                break;
            }
            let value = |name: &[u8]| header.strip_prefix(name).and_then(|rest| rest.strip_prefix(b" "));
            let before = rest;
            rest = after;
            if let Some(author) = value(b"author") {
                commit.author = author;
            } else if let Some(committer) = value(b"committer") {
                commit.committer = committer;
            } else if let Some(encoding) = value(b"encoding") {
                commit.encoding = commit.encoding.or(Some(encoding));
            } else if header.starts_with(b"gpgsig") {
                // Lines that start with a space continue it.
                while rest.starts_with(b" ") {
                    rest = line(rest).1;
                }
                let whole = &before[..before.len() - rest.len()];
                let name = whole.iter().position(|byte| *byte == b' ').map_or(whole.len(), |space| space + 1);
                commit.signature = commit.signature.or(Some(&whole[name..]));
            }
        }
        let is_whole = |encoding: &Encoding| raw.is_ascii() && encoding.keeps_ascii() || encoding.decode(raw).is_some();
        commit.convert = commit.encoding.and_then(Encoding::of).filter(is_whole);
        commit
    }

    /// The parents of a commit, without parsing the rest.
    pub(crate) fn parents_of(raw: &'a [u8]) -> impl Iterator<Item = Oid> + use<'a> {
        let lines = raw.get(TREE..).unwrap_or_default().chunks_exact(PARENT);
        lines.map_while(|line| id(line.strip_prefix(b"parent ")?.strip_suffix(b"\n")?))
    }

    /// Commit time, in seconds since 1970, without parsing the rest; 0 if there is none.
    pub(crate) fn seconds_of(raw: &[u8]) -> i64 {
        let start = TREE + PARENT * Commit::parents_of(raw).count();
        let mut rest = raw.get(start..).unwrap_or_default();
        while !rest.is_empty() && !rest.starts_with(b"\n") {
            let (header, after) = line(rest);
            if let Some(committer) = header.strip_prefix(b"committer ") {
                return Person::parse(committer).seconds.unwrap_or(0);
            }
            rest = after;
        }
        0
    }

    pub(crate) fn tree(&self) -> Option<Oid> {
        id(self.tree)
    }

    pub(crate) fn parents(&self) -> impl Iterator<Item = Oid> + use<'a> {
        self.parents.chunks_exact(PARENT).filter_map(|line| id(&line[7..PARENT - 1]))
    }

    pub(crate) fn author(&self) -> Person<'a> {
        Person::parse(self.author)
    }

    pub(crate) fn committer(&self) -> Person<'a> {
        Person::parse(self.committer)
    }

    pub(crate) fn encoding(&self, sys: &Sys) -> Option<String> {
        Some(sys.text(self.encoding?))
    }

    /// The armoured signature.
    pub(crate) fn signature(&self, sys: &Sys) -> Option<String> {
        let text = sys.text(self.signature?);
        Some(text.replace("\n ", "\n").trim_end().to_owned())
    }

    /// Kind of its signature.
    pub(crate) fn signature_format(&self) -> Option<&'static str> {
        let armour = self.signature?;
        let kinds: [(&[u8], &'static str); 4] = [
            (b"-----BEGIN PGP ", "openpgp"),
            (b"-----BEGIN SSH ", "ssh"),
            (b"-----BEGIN SIGNED MESSAGE", "x509"),
            (b"-----BEGIN CMS", "x509"),
        ];
        Some(kinds.iter().find(|(start, _)| armour.starts_with(start)).map_or("unknown", |(_, kind)| kind))
    }

    /// The message, without line breaks at its end.
    pub(crate) fn message(&self, sys: &Sys) -> String {
        let end = self.message.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
        self.decode(sys, &self.message[..end])
    }

    /// The first paragraph of the message, in one line.
    pub(crate) fn summary(&self, sys: &Sys) -> String {
        let mut summary: Vec<u8> = Vec::new();
        for line in self.message.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
            match (line.is_empty(), summary.is_empty()) {
                (true, true) => {}
                (true, false) => break,
                (false, is_first) => {
                    if !is_first {
                        summary.push(b' ');
                    }
                    summary.extend_from_slice(line);
                }
            }
        }
        self.decode(sys, &summary)
    }

    /// Text of the commit, converted from its declared encoding; UTF-8 if it declares none, or if its text is not in
    /// that encoding.
    pub(crate) fn decode(&self, sys: &Sys, bytes: &[u8]) -> String {
        let converted = self.convert.and_then(|encoding| encoding.decode(bytes));
        converted.map_or_else(|| sys.text(bytes), Cow::into_owned)
    }
}

fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// A person and a time: `Name <address> 1700000000 +0100`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Person<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) email: &'a [u8],
    /// Seconds since 1970.
    pub(crate) seconds: Option<i64>,
    /// `+0100`
    pub(crate) timezone: Option<&'a [u8]>,
}

impl<'a> Person<'a> {
    pub(crate) fn parse(line: &'a [u8]) -> Self {
        let mut person = Person::default();
        let Some(open) = line.iter().position(|byte| *byte == b'<') else {
            person.name = line.trim_ascii();
            return person;
        };
        person.name = line[..open].trim_ascii();
        let rest = &line[open + 1..];
        let Some(close) = rest.iter().position(|byte| *byte == b'>') else {
            person.email = rest;
            return person;
        };
        person.email = &rest[..close];
        // Broken tools write addresses with brackets; the time follows the last one.
        let last = line.iter().rposition(|byte| *byte == b'>').unwrap_or(line.len() - 1);
        let mut words = line[last + 1..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        person.seconds = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        person.timezone = words.next().filter(|zone| zone.starts_with(b"+") || zone.starts_with(b"-"));
        person
    }

    pub(crate) fn date(&self) -> Option<Timestamp> {
        Some(Timestamp(self.seconds?.checked_mul(1_000_000)?))
    }

    pub(crate) fn timezone(&self, sys: &Sys) -> Option<String> {
        Some(sys.text(self.timezone?))
    }
}

/// The object that a tag points to.
pub(crate) fn tagged(tag: &[u8]) -> Option<Oid> {
    id(line(tag).0.strip_prefix(b"object ")?)
}

/// The parts of a tag object: the tagger and the message. git does not convert tags, whatever their encoding.
pub(crate) fn tag(raw: &[u8]) -> (Option<Person<'_>>, &[u8]) {
    let (mut tagger, mut rest) = (None, raw);
    while !rest.is_empty() {
        let (header, after) = line(rest);
        rest = after;
        if header.is_empty() {
            break;
        }
        if let Some(person) = header.strip_prefix(b"tagger ") {
            tagger = Some(Person::parse(person));
        }
    }
    (tagger, &rest[..rest.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1)])
}

/// Parses an ID of forty hexadecimal digits.
pub(crate) fn id(digits: &[u8]) -> Option<Oid> {
    let digits: &[u8; 40] = digits.try_into().ok()?;
    let mut bytes = [0; 20];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        if high | low > 15 {
            return None;
        }
        *byte = high << 4 | low;
    }
    Oid::from_bytes(&bytes).ok()
}

/// The value of each lowercase hexadecimal digit; 16 for any other byte.
const DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// An ID in hexadecimal.
pub(crate) fn hex(id: Oid) -> String {
    let mut text = String::with_capacity(40);
    for byte in id.as_bytes() {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_as_git_reads_them() {
        type Parts = (&'static str, &'static str, Option<i64>, Option<&'static str>);
        let cases: [(&str, Parts); 8] = [
            ("Ada <ada@x> 1700000000 +0100", ("Ada", "ada@x", Some(1_700_000_000), Some("+0100"))),
            ("Ada Lovelace  <> 0 -0000", ("Ada Lovelace", "", Some(0), Some("-0000"))),
            (" <ada@x> 5 +0000", ("", "ada@x", Some(5), Some("+0000"))),
            ("Ada <ada@x>", ("Ada", "ada@x", None, None)),
            ("Ada <a<d>a> 7 +0100", ("Ada", "a<d", Some(7), Some("+0100"))),
            ("Ada <ada@x> 99999999999999999999 +0100", ("Ada", "ada@x", None, Some("+0100"))),
            ("Ada <ada@x> soon", ("Ada", "ada@x", None, None)),
            ("nobody", ("nobody", "", None, None)),
        ];
        for (line, (name, email, seconds, timezone)) in cases {
            let person = Person::parse(line.as_bytes());
            assert_eq!(person.name, name.as_bytes(), "{line}");
            assert_eq!(person.email, email.as_bytes(), "{line}");
            assert_eq!(person.seconds, seconds, "{line}");
            assert_eq!(person.timezone, timezone.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn a_commit_is_taken_apart() {
        let raw = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
                   parent 1111111111111111111111111111111111111111\n\
                   parent 2222222222222222222222222222222222222222\n\
                   author A <a@x> 1 +0000\ncommitter C <c@x> 2 -0130\n\
                   gpgsig -----BEGIN SSH SIGNATURE-----\n abc\n -----END SSH SIGNATURE-----\n\
                   encoding latin1\n\n\n First\nline  \n\nBody\n\n";
        let commit = Commit::parse(raw.as_bytes());
        assert_eq!(commit.parents().count(), 2);
        assert!(commit.parents().eq(Commit::parents_of(raw.as_bytes())));
        assert_eq!(Commit::seconds_of(raw.as_bytes()), 2);
        let sys = Sys::live();
        assert_eq!(commit.summary(&sys), " First line");
        assert_eq!(commit.message(&sys), "\n First\nline  \n\nBody");
        assert_eq!(commit.signature_format(), Some("ssh"));
        assert_eq!(
            commit.signature(&sys).as_deref(),
            Some("-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----")
        );
        assert_eq!(commit.encoding(&sys).as_deref(), Some("latin1"));
        assert_eq!(commit.committer().date(), Some(Timestamp(2_000_000)));
        assert_eq!(commit.decode(&sys, b"Ren\xe9"), "René");
    }

    #[test]
    fn no_object_is_too_broken_to_take_apart() {
        let whole = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent 1111111111111111111111111111111111111111\n\
                      author A <a@x> 1 +0000\ngpgsig x\n y\nencoding \xff\n\nmessage \xff";
        for end in 0..=whole.len() {
            let (commit, sys) = (Commit::parse(&whole[..end]), Sys::live());
            let _ = (commit.tree(), commit.parents().count(), commit.summary(&sys), commit.message(&sys));
            let _ = (Commit::seconds_of(&whole[..end]), Commit::parents_of(&whole[..end]).count());
            let _ = (commit.signature(&sys), tag(&whole[..end]), tagged(&whole[..end]));
        }
    }

    #[test]
    fn ids_are_forty_small_hexadecimal_digits() {
        let digits = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(id(digits.as_bytes()).map(hex).as_deref(), Some(digits));
        assert_eq!(id(digits.to_uppercase().as_bytes()), None);
        assert_eq!(id(&digits.as_bytes()[1..]), None);
        assert_eq!(id(b""), None);
    }
}
