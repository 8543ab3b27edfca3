//! Patterns with wildcards and policy variables.

use crate::error::{Error, Result};
use crate::request::Asked;
use crate::truth::Truth;

/// Longest pattern, and longest text that is matched against one. An ARN has at most 2,048 characters.
pub(crate) const LONGEST: usize = 4096;

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `?`
    One,
    /// `*`
    Many,
}

/// A part of a text with policy variables.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Part(Part),
    Variable { key: Box<str>, default: Option<Box<str>> },
}

/// How a text from a policy is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Whether `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// Whether `${..}` is a variable: only under version 2012-10-17.
    pub(crate) variables: bool,
    /// Whether variables are replaced only in an ARN's last part, after the fifth colon.
    pub(crate) is_resource: bool,
}

/// A text from a policy, with its wildcards and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// The pattern, if it has no variables.
    fixed: Option<Pattern>,
}

/// A pattern without variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
    /// For each part whether it stays within its part of an ARN. Empty if none has to.
    limits: Vec<bool>,
}

impl Template {
    pub(crate) fn parse(text: &str, reading: Reading, place: &str) -> Result<Template> {
        if text.len() > LONGEST {
            return Err(Error::too_large(place, text.len(), LONGEST));
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        let mut colons = 0;
        while let Some(letter) = rest.chars().next() {
            if reading.variables
                && (!reading.is_resource || colons >= 5)
                && let Some((inner, after)) = rest.strip_prefix("${").and_then(|inside| inside.split_once('}'))
            {
                match inner {
                    "*" | "?" | "$" => push_text(&mut pieces, inner),
                    _ => pieces.push(variable(inner)),
                }
                rest = after;
                continue;
            }
            match letter {
                '*' if reading.wildcards => push_part(&mut pieces, Part::Many),
                '?' if reading.wildcards => push_part(&mut pieces, Part::One),
                _ => {
                    colons += usize::from(letter == ':');
                    push_text(&mut pieces, &rest[..letter.len_utf8()]);
                }
            }
            rest = &rest[letter.len_utf8()..];
        }
        let part = |piece: &Piece| if let Piece::Part(part) = piece { Some(part.clone()) } else { None };
        let fixed = pieces.iter().map(part).collect::<Option<_>>().map(Pattern::new);
        Ok(Template { pieces, fixed })
    }

    /// Whether the pattern, with the variables replaced, passes a test. A variable without a value has no pattern, so
    /// the test fails.
    pub(crate) fn test(&self, asked: &Asked<'_>, test: impl Fn(&Pattern) -> bool) -> Truth {
        if let Some(pattern) = &self.fixed {
            return test(pattern).into();
        }
        let mut parts = Vec::with_capacity(self.pieces.len());
        let mut is_unknown = false;
        for piece in &self.pieces {
            match piece {
                Piece::Part(part) => parts.push(part.clone()),
                Piece::Variable { key, default } => match (asked.single(key), default) {
                    (Some(value), _) => parts.push(Part::Text(value.into())),
                    (None, _) if asked.is_unknown(key) => {
                        is_unknown = true;
                        parts.push(Part::Many);
                    }
                    (None, Some(default)) => parts.push(Part::Text(default.to_string())),
                    (None, None) => return Truth::No,
                },
            }
        }
        // If the pattern does not match with any value, the unknown value does not matter.
        match test(&Pattern::new(parts)) {
            true if is_unknown => Truth::Unknown,
            matches => matches.into(),
        }
    }

    /// The keys of its variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| if let Piece::Variable { key, .. } = piece { Some(&**key) } else { None })
    }
}

/// `key`, or `key, 'default'`.
fn variable(inner: &str) -> Piece {
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let unquoted = default.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            (key, Some(unquoted.unwrap_or(default).into()))
        }
        None => (inner, None),
    };
    Piece::Variable { key: key.trim().to_ascii_lowercase().into(), default }
}

fn push_part(pieces: &mut Vec<Piece>, part: Part) {
    let is_repeated = part == Part::Many && pieces.last() == Some(&Piece::Part(Part::Many));
    if !is_repeated {
        pieces.push(Piece::Part(part));
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Part(Part::Text(last))) => last.push_str(text),
        _ => pieces.push(Piece::Part(Part::Text(text.into()))),
    }
}

impl Pattern {
    fn new(parts: Vec<Part>) -> Pattern {
        Pattern { limits: limits(&parts), parts }
    }

    /// A pattern without variables, in lowercase: for actions.
    pub(crate) fn of_action(text: &str, place: &str) -> Result<Pattern> {
        let reading = Reading { wildcards: true, variables: false, is_resource: false };
        let template = Template::parse(&text.to_ascii_lowercase(), reading, place)?;
        Ok(template.fixed.expect("a template without variables is a pattern"))
    }

    /// The text that it is, if it has no wildcards.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before its first wildcard.
    pub(crate) fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether a text matches. `*` matches any text, `?` one character.
    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(&self.parts, text)
    }

    /// Whether a text matches without regard to case.
    pub(crate) fn equals_ignoring_case(&self, text: &str) -> bool {
        self.literal().is_some_and(|literal| literal.to_lowercase() == text.to_lowercase())
    }

    /// Whether a resource matches. In the first five parts of an ARN, `?` does not match a colon, and `*` does only at
    /// the end of its part.
    pub(crate) fn matches_resource(&self, resource: &str) -> bool {
        if let [Part::Text(prefix), ..] = self.parts.as_slice()
            && !resource.starts_with(prefix.as_str())
        {
            return false;
        }
        match self.limits.is_empty() {
            true => matches(&self.parts, resource),
            false => matches_limited(&self.parts, &self.limits, resource),
        }
    }

    /// Whether an ARN matches: each of its six parts is matched separately.
    pub(crate) fn matches_arn(&self, arn: &str) -> bool {
        let wanted = self.segments();
        let found: Vec<&str> = arn.splitn(6, ':').collect();
        wanted.len() == 6 && found.len() == 6 && wanted.iter().zip(found).all(|(wanted, found)| matches(wanted, found))
    }

    /// The six parts of an ARN.
    fn segments(&self) -> Vec<Vec<Part>> {
        let mut segments: Vec<Vec<Part>> = vec![Vec::new()];
        for part in &self.parts {
            let Part::Text(text) = part else {
                segments.last_mut().expect("there is a first one").push(part.clone());
                continue;
            };
            let left = 7 - segments.len();
            for (position, piece) in text.splitn(left, ':').enumerate() {
                if position > 0 {
                    segments.push(Vec::new());
                }
                if !piece.is_empty() {
                    segments.last_mut().expect("there is a first one").push(Part::Text(piece.into()));
                }
            }
        }
        segments
    }
}

/// For each part of a resource's pattern whether it stays within its part of the ARN. Empty if none has to.
fn limits(parts: &[Part]) -> Vec<bool> {
    let mut colons = 0;
    let limits = parts.iter().enumerate().map(|(position, part)| match part {
        Part::Text(text) => {
            colons += text.matches(':').count();
            false
        }
        _ if colons >= 5 => false,
        Part::One => true,
        Part::Many => match parts.get(position + 1) {
            None => false,
            Some(Part::Text(next)) => !next.starts_with(':'),
            Some(_) => true,
        },
    });
    let limits: Vec<bool> = limits.collect();
    if limits.contains(&true) { limits } else { Vec::new() }
}

/// Matches from the left. After a mismatch, the last `*` takes one more character.
fn matches(parts: &[Part], text: &str) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match parts.get(part) {
            None if at == text.len() => return true,
            None => None,
            Some(Part::Many) if part + 1 == parts.len() => return true,
            Some(Part::Many) => {
                retry = Some((part, at));
                part += 1;
                continue;
            }
            Some(Part::One) => text[at..].chars().next().map(char::len_utf8),
            Some(Part::Text(wanted)) => text.as_bytes()[at..].starts_with(wanted.as_bytes()).then_some(wanted.len()),
        };
        match (step, retry) {
            (Some(length), _) => {
                part += 1;
                at += length;
            }
            (None, Some((star, from))) => {
                let Some(letter) = text[from..].chars().next() else { return false };
                let from = from + letter.len_utf8();
                retry = Some((star, from));
                part = star + 1;
                at = from;
            }
            (None, None) => return false,
        }
    }
}

/// Matches where some wildcards may not take a colon: the set of positions in the text that the parts so far can reach.
fn matches_limited(parts: &[Part], limits: &[bool], text: &str) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for (part, is_limited) in parts.iter().zip(limits) {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            match part {
                Part::Text(wanted) if reached[at] && text.as_bytes()[at..].starts_with(wanted.as_bytes()) => {
                    next[at + wanted.len()] = true;
                }
                Part::One if reached[at] => {
                    let letter = text[at..].chars().next().filter(|letter| !(*is_limited && *letter == ':'));
                    if let Some(letter) = letter {
                        next[at + letter.len_utf8()] = true;
                    }
                }
                Part::Many if reached[at] => next[at] = true,
                _ => {}
            }
            if *part == Part::Many && next[at] && text.is_char_boundary(at) {
                let letter = text[at..].chars().next().filter(|letter| !(*is_limited && *letter == ':'));
                if let Some(letter) = letter {
                    next[at + letter.len_utf8()] = true;
                }
            }
        }
        reached = next;
    }
    reached[text.len()]
}
