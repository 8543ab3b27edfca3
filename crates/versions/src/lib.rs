//! Orders of versions by the rules of packaging systems. Most are texts whose byte order is the order of the versions.

//!
//! All keys use the same marks, in ascending order: [`BEFORE`] the end, the end itself ([`END`]), and what comes after
//! it. A number is its count of digits, then the digits.

#![warn(missing_docs)]

use std::cmp::Ordering;

mod apk;
mod gem;
mod nuget;
mod packagist;
mod rule;

pub use rule::{Rule, Version};

/// Sorts below the end of a version.
const BEFORE: char = '\u{1}';
/// The end of a version or of a part.
const END: char = '\u{2}';
/// Sorts above the end.
const AFTER: char = '\u{3}';
/// Sorts above [`AFTER`].
const HIGH: char = '\u{4}';
/// Sorts above [`HIGH`].
const HIGHEST: char = '\u{5}';

/// Adds a number. Leading zeros do not count.
fn push_number(key: &mut String, digits: &str) {
    let digits = digits.trim_start_matches('0');
    key.push(char::from_u32(0x100 + digits.len().min(0xfff) as u32).unwrap_or(char::MAX));
    key.push_str(digits);
}

/// The text before the first character that a test rejects, and the rest.
fn span(text: &str, accepts: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !accepts(c)).unwrap_or(text.len()))
}

/// The epoch before a colon, and the rest.
fn epoch(text: &str) -> (&str, &str) {
    let split = text.split_once(':').filter(|(epoch, _)| epoch.bytes().all(|byte| byte.is_ascii_digit()));
    split.unwrap_or(("", text))
}

/// dpkg's order: epoch, version, and the revision after the last hyphen; a missing revision is 0.
pub fn dpkg(text: &str) -> String {
    let (epoch, rest) = epoch(text);
    let (version, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    let mut key = String::with_capacity(text.len() * 2 + 8);
    push_number(&mut key, epoch);
    for mut part in [version, revision] {
        // A part is pairs of a text and a number, either of which may be empty.
        loop {
            let (other, rest) = span(part, |c| !c.is_ascii_digit());
            let (digits, rest) = span(rest, |c| c.is_ascii_digit());
            key.extend(other.chars().map(|c| match c {
                '~' => BEFORE,
                letter if letter.is_ascii_alphabetic() => letter,
                // Above all letters.
                other => char::from_u32(other as u32 + 0x100).unwrap_or(char::MAX),
            }));
            key.push(END);
            push_number(&mut key, digits);
            part = rest;
            if part.is_empty() {
                break;
            }
        }
        key.push(END);
    }
    key
}

/// RPM's order: epoch, version, and the release after the last hyphen; without a release is lower than with one.
pub fn rpm(text: &str) -> String {
    let (epoch, rest) = epoch(text);
    let (version, release) = rest.rsplit_once('-').map_or((rest, None), |(version, release)| (version, Some(release)));
    let mut key = String::with_capacity(text.len() * 2 + 8);
    push_number(&mut key, epoch);
    rpm_part(&mut key, version);
    if let Some(release) = release {
        key.push(AFTER);
        rpm_part(&mut key, release);
    }
    key
}

fn rpm_part(key: &mut String, mut part: &str) {
    while let Some(first) = part.chars().next() {
        if first == '~' || first == '^' {
            key.push(if first == '~' { BEFORE } else { AFTER });
            part = &part[1..];
        } else if first.is_ascii_digit() {
            let (digits, rest) = span(part, |c| c.is_ascii_digit());
            key.push(HIGHEST);
            push_number(key, digits);
            part = rest;
        } else if first.is_ascii_alphabetic() {
            let (letters, rest) = span(part, |c| c.is_ascii_alphabetic());
            key.push(HIGH);
            key.push_str(letters);
            part = rest;
        } else {
            // Anything else only separates.
            part = &part[first.len_utf8()..];
        }
    }
    key.push(END);
}

/// The order of Semantic Versioning 2.0; a leading `v` and the build's metadata do not count. Texts that are not such
/// versions sort below all that are.
pub fn semver(text: &str) -> String {
    semver_key(text).unwrap_or_else(|| format!("{END}{text}"))
}

pub(crate) fn semver_key(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['v', '=']).split('+').next()?;
    let (core, before) = text.split_once('-').map_or((text, None), |(core, before)| (core, Some(before)));
    let mut key = String::from(AFTER);
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if numbers.len() != 3 || !numbers.iter().all(is_number) {
        return None;
    }
    numbers.into_iter().for_each(|number| push_number(&mut key, number));
    let Some(before) = before else {
        key.push(HIGHEST);
        return Some(key);
    };
    for part in before.split('.') {
        if is_number(&part) {
            key.push(AFTER);
            push_number(&mut key, part);
        } else if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            key.push(HIGH);
            key.push_str(part);
        } else {
            return None;
        }
    }
    key.push(END);
    Some(key)
}

/// Python's order, PEP 440. Texts that are not such versions sort below all that are.
pub fn pep440(text: &str) -> String {
    pep440_key(&text.trim().to_ascii_lowercase()).unwrap_or_else(|| format!("{END}{text}"))
}

fn pep440_key(text: &str) -> Option<String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, local) = text.split_once('+').map_or((text, None), |(text, local)| (text, Some(local)));
    let (epoch, text) = text.split_once('!').unwrap_or(("0", text));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(epoch) {
        return None;
    }
    let mut key = String::from(AFTER);
    push_number(&mut key, epoch);
    // The release: numbers with dots between them.
    let (first, mut rest) = span(text, |c| c.is_ascii_digit());
    let mut release = vec![first];
    while let Some((number, after)) = rest.strip_prefix('.').map(|rest| span(rest, |c| c.is_ascii_digit())) {
        if number.is_empty() {
            break;
        }
        release.push(number);
        rest = after;
    }
    if first.is_empty() {
        return None;
    }
    while release.last().is_some_and(|number| number.bytes().all(|byte| byte == b'0')) {
        release.pop();
    }
    for number in release {
        key.push(HIGH);
        push_number(&mut key, number);
    }
    key.push(END);
    let (before, rest) = pep440_suffix(rest, &["alpha", "beta", "preview", "pre", "rc", "a", "b", "c"]);
    let dash = rest.strip_prefix('-').map(|after| span(after, |c| c.is_ascii_digit()));
    let (post, rest) = match dash {
        Some((number, after)) if !number.is_empty() => (Some(("post", number)), after),
        _ => pep440_suffix(rest, &["post", "rev", "r"]),
    };
    let (dev, rest) = pep440_suffix(rest, &["dev"]);
    if !rest.is_empty() {
        return None;
    }
    match before {
        Some((word, number)) => {
            key.push(AFTER);
            key.push(match word {
                "alpha" | "a" => 'a',
                "beta" | "b" => 'b',
                _ => 'c',
            });
            push_number(&mut key, number);
        }
        // A development release of the release itself comes before all others of that release.
        None if post.is_none() && dev.is_some() => key.push(BEFORE),
        None => key.push(HIGH),
    }
    match post {
        Some((_, number)) => {
            key.push(AFTER);
            push_number(&mut key, number);
        }
        None => key.push(BEFORE),
    }
    match dev {
        Some((_, number)) => {
            key.push(AFTER);
            push_number(&mut key, number);
        }
        None => key.push(HIGH),
    }
    let Some(local) = local else {
        key.push(BEFORE);
        return Some(key);
    };
    for part in local.split(['.', '-', '_']) {
        if is_number(part) {
            key.push(HIGH);
            push_number(&mut key, part);
        } else if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            key.push(AFTER);
            key.push_str(part);
        } else {
            return None;
        }
    }
    key.push(END);
    Some(key)
}

/// A word with its number, each with an optional separator before it, and the rest. Both may be missing.
fn pep440_suffix<'a>(text: &'a str, words: &[&'static str]) -> (Option<(&'static str, &'a str)>, &'a str) {
    let separated = |text: &'a str| text.strip_prefix(['.', '-', '_']).unwrap_or(text);
    let start = separated(text);
    for word in words {
        if let Some(after) = start.strip_prefix(word) {
            let (number, rest) = span(separated(after), |c| c.is_ascii_digit());
            return (Some((word, number)), rest);
        }
    }
    (None, text)
}

/// Maven's order. It has no key: what is missing at the end of a version is compared with what is there.
pub fn maven(left: &str, right: &str) -> Ordering {
    maven_list(&maven_items(left), &maven_items(right))
}

/// A part of a version of Maven.
#[derive(Debug)]
enum Item {
    /// Digits without leading zeros.
    Number(String),
    /// A qualifier.
    Word(String),
    /// What follows a hyphen, or a change between digits and letters.
    List(Vec<Item>),
}

/// Qualifiers in ascending order. The empty one is the release itself; unknown ones come after all of these.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
/// The deepest list, and the most that are compared: each hyphen begins a list within the last one.
const DEEPEST: usize = 200;

fn qualifier(word: &str) -> (usize, &str) {
    match QUALIFIERS.iter().position(|known| *known == word) {
        Some(position) => (position, ""),
        None => (QUALIFIERS.len(), word),
    }
}

fn maven_items(text: &str) -> Vec<Item> {
    let text = text.to_lowercase();
    // Lists that are open, each within the one before, and the innermost one.
    let (mut outer, mut list): (Vec<Vec<Item>>, Vec<Item>) = (Vec::new(), Vec::new());
    let item = |word: &str, before_digit: bool| {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return Item::Number(word.trim_start_matches('0').to_owned());
        }
        let word = match word {
            "a" if before_digit => "alpha",
            "b" if before_digit => "beta",
            "m" if before_digit => "milestone",
            "ga" | "final" | "release" => "",
            "cr" => "rc",
            other => other,
        };
        Item::Word(word.to_owned())
    };
    let mut rest = text.as_str();
    // Whether the item before ended with a separator.
    let mut is_separated = true;
    while let Some(first) = rest.chars().next() {
        if first == '.' || first == '-' {
            rest = &rest[1..];
            // Nothing between two separators is a zero.
            if is_separated {
                list.push(Item::Number(String::new()));
            }
            if first == '-' && outer.len() < DEEPEST {
                outer.push(std::mem::take(&mut list));
            }
            is_separated = true;
            continue;
        }
        let is_digit = first.is_ascii_digit();
        let (word, after) = span(rest, |c| c != '.' && c != '-' && c.is_ascii_digit() == is_digit);
        let before_digit = after.starts_with(|c: char| c.is_ascii_digit());
        // A change begins a list, and so does a word after a dot, unless another separator follows.
        let is_last_word = !is_digit && (before_digit || after.is_empty());
        if (!is_separated || is_last_word) && !list.is_empty() && outer.len() < DEEPEST {
            outer.push(std::mem::take(&mut list));
        }
        list.push(item(word, before_digit));
        if !is_digit && before_digit && outer.len() < DEEPEST {
            outer.push(std::mem::take(&mut list));
        }
        rest = after;
        is_separated = before_digit && !is_digit;
    }
    loop {
        // Zeros, releases and empty lists at the end do not count, not even before a list.
        let mut position = list.len();
        while position > 0 {
            position -= 1;
            let is_empty = match &list[position] {
                Item::Number(digits) => digits.is_empty(),
                Item::Word(word) => word.is_empty(),
                Item::List(items) => items.is_empty(),
            };
            if is_empty {
                list.remove(position);
            } else if !matches!(list[position], Item::List(_)) {
                break;
            }
        }
        let Some(around) = outer.pop() else { return list };
        let inner = std::mem::replace(&mut list, around);
        list.push(Item::List(inner));
    }
}

fn maven_list(left: &[Item], right: &[Item]) -> Ordering {
    let orders = (0..left.len().max(right.len())).map(|position| match (left.get(position), right.get(position)) {
        (Some(left), Some(right)) => maven_item(left, right),
        (Some(left), None) => maven_missing(left),
        (None, Some(right)) => maven_missing(right).reverse(),
        (None, None) => Ordering::Equal,
    });
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn maven_item(left: &Item, right: &Item) -> Ordering {
    match (left, right) {
        (Item::Number(left), Item::Number(right)) => (left.len(), left).cmp(&(right.len(), right)),
        (Item::Word(left), Item::Word(right)) => qualifier(left).cmp(&qualifier(right)),
        (Item::List(left), Item::List(right)) => maven_list(left, right),
        // Words are lowest, then lists, then numbers.
        (Item::Number(_), _) | (Item::List(_), Item::Word(_)) => Ordering::Greater,
        (Item::Word(_), _) | (Item::List(_), Item::Number(_)) => Ordering::Less,
    }
}

/// An item compared with nothing.
fn maven_missing(item: &Item) -> Ordering {
    match item {
        Item::Number(digits) => {
            if digits.is_empty() {
                Ordering::Equal
            } else {
                Ordering::Greater
            }
        }
        Item::Word(word) => qualifier(word).cmp(&qualifier("")),
        Item::List(items) => items.iter().map(maven_missing).find(|order| order.is_ne()).unwrap_or(Ordering::Equal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions in ascending order; those on one line are equal.
    fn ascending(key: fn(&str) -> String, lines: &[&[&str]]) {
        for (position, line) in lines.iter().enumerate() {
            for version in *line {
                assert_eq!(key(version), key(line[0]), "{version} = {}", line[0]);
                for higher in lines[position + 1..].iter().flat_map(|line| line.iter()) {
                    assert!(key(version) < key(higher), "{version} < {higher}");
                }
            }
        }
    }

    /// Expected order: `dpkg --compare-versions` of dpkg 1.21.22.
    #[test]
    fn dpkgs_order() {
        let lines: &[&[&str]] = &[
            &["1.0~~"],
            &["1.0~rc1", "1.0~rc01"],
            &["1.0~rc1-1"],
            &["1.0", "1.0-0", "0:1.0", "1.00", "1."],
            &["1.0-1"],
            &["1.0-1+b1"],
            &["1.0-1.1"],
            &["1.0a"],
            &["1.0+"],
            &["1.0+1"],
            &["1.0.1"],
            &["1.10"],
            &["2.0-3-4"],
            &["1:0.1"],
        ];
        ascending(dpkg, lines);
    }

    /// Expected order: `rpm.vercmp` of RPM 4.18.0, with epochs and releases.
    #[test]
    fn rpms_order() {
        let lines: &[&[&str]] = &[
            &["1.0~rc1"],
            &["1.0", "1_0", "1.0."],
            &["1.0-fc4.x", "1.0-fc.4x"],
            &["1.0-fc33"],
            &["1.0-1~beta"],
            &["1.0-1", "0:1.0-1", "1.0-01"],
            &["1.0^git1"],
            &["1.0a"],
            &["1.0.0"],
            &["1.0.1", "1.0_1"],
            &["1.5", "1.05"],
            &["1:0"],
        ];
        ascending(rpm, lines);
    }

    /// Expected order: `semver.compare` of npm 10.
    #[test]
    fn semvers_order() {
        let lines: &[&[&str]] = &[
            &["1.0"],
            &["1.0.0-1"],
            &["1.0.0-alpha"],
            &["1.0.0-alpha.1"],
            &["1.0.0-alpha.beta"],
            &["1.0.0-beta.2"],
            &["1.0.0-beta.11"],
            &["1.0.0-rc.1"],
            &["1.0.0", "v1.0.0", "1.0.0+build"],
            &["1.0.10"],
            &["1.2.0"],
        ];
        ascending(semver, lines);
    }

    /// Expected order: `packaging.version` of pip 23.0.1.
    #[test]
    fn pythons_order() {
        let lines: &[&[&str]] = &[
            &["latest"],
            &["1.0.dev1", "1.dev1", "v1.0-dev1"],
            &["1.0a1.dev1"],
            &["1.0a1", "1.0alpha1", "1.0-A.1"],
            &["1.0b2"],
            &["1.0rc1", "1.0c1", "1.0.pre1"],
            &["1.0", "1", "1.0.0"],
            &["1.0+abc"],
            &["1.0+abc.1"],
            &["1.0+5"],
            &["1.0.post1.dev2"],
            &["1.0.post1", "1.0-1", "1.0r1"],
            &["1.0.1"],
            &["1.10"],
            &["1!0.1"],
        ];
        ascending(pep440, lines);
    }

    /// Expected order: `ComparableVersion` of Maven 3.8.7.
    #[test]
    fn mavens_order() {
        let lines: &[&[&str]] = &[
            &["1-alpha", "1-a0", "1.0-ALPHA"],
            &["1-beta2", "1.0.b2"],
            &["1-milestone"],
            &["1-rc", "1cr"],
            &["1-SNAPSHOT"],
            &["1", "1.0", "1.0.0", "1-ga", "1.final", "1-0", "1.0-release"],
            &["1-sp"],
            &["1.0-preview"],
            &["1-1"],
            &["1.0.1"],
            &["1.1-rc"],
            &["1.1"],
            &["1.10"],
            &["12345678901234567890"],
        ];
        for (position, line) in lines.iter().enumerate() {
            for version in *line {
                assert_eq!(maven(version, line[0]), Ordering::Equal, "{version} = {}", line[0]);
                for higher in lines[position + 1..].iter().flat_map(|line| line.iter()) {
                    assert_eq!(maven(version, higher), Ordering::Less, "{version} < {higher}");
                    assert_eq!(maven(higher, version), Ordering::Greater, "{higher} > {version}");
                }
            }
        }
        assert_eq!(maven(&"-".repeat(100_000), "1"), Ordering::Less, "lists have a limit");
    }
}
