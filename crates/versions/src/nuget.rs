//! The order of NuGet.

use std::cmp::Ordering;

use crate::rule::digits;

/// Four numbers, and the labels of a version before the release.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    numbers: [Number; 4],
    labels: Labels,
}

/// A number without leading zeros; a longer one is higher.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Number(usize, String);

/// Labels: none is the release.
#[derive(Debug, PartialEq, Eq)]
struct Labels(Vec<Label>);

/// A label: numbers are lower than words.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Number(Number),
    Word(String),
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0.is_empty(), other.0.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn number(text: &str) -> Option<Number> {
    digits(text).map(|digits| Number(digits.len(), digits.to_owned()))
}

pub(crate) fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text).split('+').next()?;
    let (release, before) = text.split_once('-').map_or((text, None), |(release, before)| (release, Some(before)));
    let mut numbers: [Number; 4] = Default::default();
    for (position, part) in release.split('.').enumerate() {
        *numbers.get_mut(position)? = number(part)?;
    }
    let mut labels = Vec::new();
    for label in before.into_iter().flat_map(|before| before.split('.')) {
        let is_legal = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_legal {
            return None;
        }
        labels.push(number(label).map_or_else(|| Label::Word(label.to_ascii_lowercase()), Label::Number));
    }
    Some(Version { numbers, labels: Labels(labels) })
}
