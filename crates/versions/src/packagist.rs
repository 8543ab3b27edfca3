//! The order of Composer: PHP's order of versions, with four numbers.

use std::cmp::Ordering;

use crate::{rule::digits, span};

/// Numbers and words.
pub(crate) type Version = Vec<String>;

/// Words by their beginning, with their rank. Other words are lower than all of these.
const WORDS: [(&str, i32); 8] =
    [("dev", 0), ("alpha", 1), ("a", 1), ("beta", 2), ("b", 2), ("rc", 3), ("pl", 5), ("p", 5)];
/// The rank of a number that is compared with a word, and of the end.
const NUMBER: i32 = 4;

pub(crate) fn parse(text: &str) -> Option<Version> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_prefix('v').unwrap_or(&text).split('+').next()?;
    let (mut rest, mut parts) = (text, Vec::new());
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let (number, after) = span(rest, |c| c.is_ascii_digit());
            // The fourth number and those before the first word are the release.
            parts.push(number.trim_start_matches('0').to_owned());
            rest = after;
        } else if first.is_ascii_alphabetic() {
            let (word, after) = span(rest, |c| c.is_ascii_alphabetic());
            rest = after;
            if parts.is_empty() {
                return None;
            }
            if word != "stable" {
                pad(&mut parts);
                parts.push(word.to_owned());
            }
        } else if matches!(first, '.' | '-' | '_') {
            rest = &rest[1..];
        } else {
            return None;
        }
    }
    if parts.is_empty() {
        return None;
    }
    pad(&mut parts);
    Some(parts)
}

/// Pads a version of numbers alone to four numbers with zeros: `1.2` is `1.2.0.0`.
fn pad(parts: &mut Version) {
    if parts.iter().all(|part| is_number(part)) {
        parts.resize(parts.len().max(4), String::new());
    }
}

fn is_number(part: &str) -> bool {
    part.is_empty() || digits(part).is_some()
}

fn rank(part: &str) -> i32 {
    if is_number(part) {
        return NUMBER;
    }
    WORDS.iter().find(|(word, _)| part.starts_with(word)).map_or(-1, |(_, rank)| *rank)
}

pub(crate) fn compare(left: &Version, right: &Version) -> Ordering {
    for position in 0..left.len().max(right.len()) {
        let order = match (left.get(position), right.get(position)) {
            (Some(left), Some(right)) if is_number(left) && is_number(right) => {
                (left.len(), left).cmp(&(right.len(), right))
            }
            (Some(left), Some(right)) => rank(left).cmp(&rank(right)),
            (Some(left), None) if is_number(left) => Ordering::Greater,
            (Some(left), None) => rank(left).cmp(&NUMBER),
            (None, Some(right)) if is_number(right) => Ordering::Less,
            (None, Some(right)) => NUMBER.cmp(&rank(right)),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
