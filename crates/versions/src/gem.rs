//! The order of RubyGems.

use std::cmp::Ordering;

use crate::{rule::digits, span};

/// A part of a version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Letters: before a release.
    Word(String),
    /// A number, without leading zeros.
    Number(String),
}

impl Segment {
    fn is_zero(&self) -> bool {
        matches!(self, Segment::Number(digits) if digits.is_empty())
    }
}

pub(crate) fn parse(text: &str) -> Option<Vec<Segment>> {
    let is_legal =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let (release, before) = text.split_once('-').map_or((text, None), |(release, before)| (release, Some(before)));
    let mut numbers = release.split('.');
    digits(numbers.next()?)?;
    if !numbers.all(is_legal) || !before.into_iter().flat_map(|before| before.split('.')).all(is_legal) {
        return None;
    }
    let text = text.replace('-', ".pre.");
    let mut segments = Vec::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let (number, after) = span(rest, |c| c.is_ascii_digit());
            segments.push(Segment::Number(number.trim_start_matches('0').to_owned()));
            rest = after;
        } else if first.is_ascii_alphabetic() {
            let (word, after) = span(rest, |c| c.is_ascii_alphabetic());
            segments.push(Segment::Word(word.to_owned()));
            rest = after;
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    // Zeros at the end of the release, and at the end of the version, do not count.
    let first_word = segments.iter().position(|segment| matches!(segment, Segment::Word(_))).unwrap_or(segments.len());
    let mut before = segments.split_off(first_word);
    for list in [&mut segments, &mut before] {
        while list.last().is_some_and(Segment::is_zero) {
            list.pop();
        }
    }
    segments.append(&mut before);
    Some(segments)
}

pub(crate) fn compare(left: &[Segment], right: &[Segment]) -> Ordering {
    let zero = Segment::Number(String::new());
    for position in 0..left.len().max(right.len()) {
        let order = match (left.get(position).unwrap_or(&zero), right.get(position).unwrap_or(&zero)) {
            (Segment::Word(left), Segment::Word(right)) => left.cmp(right),
            (Segment::Number(left), Segment::Number(right)) => (left.len(), left).cmp(&(right.len(), right)),
            (Segment::Word(_), Segment::Number(_)) => Ordering::Less,
            (Segment::Number(_), Segment::Word(_)) => Ordering::Greater,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
