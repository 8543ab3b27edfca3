//! The order of apk-tools 3.

use std::cmp::Ordering;

use crate::{rule::digits, span};

/// The parts of a version, in their order.
pub(crate) type Version = Vec<Part>;

/// A part of a version.
#[derive(Debug)]
pub(crate) enum Part {
    /// The first number.
    First(String),
    /// A number after a dot, as it is written.
    Number(String),
    /// A letter after the numbers.
    Letter(u8),
    /// A suffix after `_`: its position in [`SUFFIXES`].
    Suffix(usize),
    /// The number of a suffix.
    SuffixNumber(String),
    /// The hash of a commit after `~`.
    Commit(String),
    /// The number after `-r`.
    Revision(String),
}

/// Suffixes in ascending order.
const SUFFIXES: [&str; 9] = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"];
/// Suffixes before this one precede the version without a suffix.
const NOT_BEFORE: usize = 4;

impl Part {
    /// The kind, in the order in which kinds may follow each other. A version that ends is [`END`].
    fn kind(&self) -> u8 {
        match self {
            Part::First(_) => 0,
            Part::Number(_) => 1,
            Part::Letter(_) => 2,
            Part::Suffix(_) => 3,
            Part::SuffixNumber(_) => 4,
            Part::Commit(_) => 5,
            Part::Revision(_) => 6,
        }
    }

    fn is_before_release(&self) -> bool {
        matches!(self, Part::Suffix(position) if *position < NOT_BEFORE)
    }
}

const END: u8 = 7;

pub(crate) fn parse(text: &str) -> Option<Version> {
    let number = |text: &mut &str| {
        let (digits, rest) = span(text, |c| c.is_ascii_digit());
        *text = rest;
        (!digits.is_empty()).then(|| digits.to_owned())
    };
    let trimmed = |digits: String| digits.trim_start_matches('0').to_owned();
    let mut rest = text;
    let mut parts = vec![Part::First(trimmed(number(&mut rest)?))];
    while let Some(first) = rest.chars().next() {
        let last = parts.last().map_or(END, Part::kind);
        let after = &rest[first.len_utf8()..];
        let part = match first {
            '.' if last <= 1 => {
                rest = after;
                Part::Number(number(&mut rest)?)
            }
            'a'..='z' if last <= 1 => {
                rest = after;
                Part::Letter(first as u8)
            }
            '_' if last <= 4 => {
                let (word, after) = span(after, |c| c.is_ascii_lowercase());
                rest = after;
                Part::Suffix(SUFFIXES.iter().position(|suffix| *suffix == word)?)
            }
            '0'..='9' if last == 3 => Part::SuffixNumber(trimmed(number(&mut rest)?)),
            '~' if last < 5 => {
                let (hash, after) = span(after, |c| c.is_ascii_digit() || ('a'..='f').contains(&c));
                rest = after;
                Part::Commit((!hash.is_empty()).then(|| hash.to_owned())?)
            }
            '-' if last < 6 => {
                rest = after.strip_prefix('r')?;
                Part::Revision(trimmed(number(&mut rest)?))
            }
            _ => return None,
        };
        parts.push(part);
    }
    Some(parts)
}

pub(crate) fn compare(left: &Version, right: &Version) -> Ordering {
    for position in 0.. {
        let (left, right) = match (left.get(position), right.get(position)) {
            (None, None) => return Ordering::Equal,
            (left, right) => (left, right),
        };
        let order = match (left, right) {
            (Some(left), Some(right)) if left.kind() == right.kind() => same_kind(left, right),
            (Some(left), _) if left.is_before_release() => return Ordering::Less,
            (_, Some(right)) if right.is_before_release() => return Ordering::Greater,
            // The kind that may come later is lower, and the end is lowest.
            (left, right) => return right.map_or(END, Part::kind).cmp(&left.map_or(END, Part::kind)),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn same_kind(left: &Part, right: &Part) -> Ordering {
    let numbers = |left: &str, right: &str| (left.len(), left).cmp(&(right.len(), right));
    match (left, right) {
        // With a leading zero, numbers are compared as texts.
        (Part::Number(left), Part::Number(right)) if left.starts_with('0') || right.starts_with('0') => left.cmp(right),
        (Part::Number(left), Part::Number(right)) => {
            numbers(digits(left).unwrap_or_default(), digits(right).unwrap_or_default())
        }
        (Part::First(left), Part::First(right))
        | (Part::SuffixNumber(left), Part::SuffixNumber(right))
        | (Part::Revision(left), Part::Revision(right)) => numbers(left, right),
        (Part::Letter(left), Part::Letter(right)) => left.cmp(right),
        (Part::Suffix(left), Part::Suffix(right)) => left.cmp(right),
        (Part::Commit(left), Part::Commit(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}
