//! LIKE and GLOB matching. Each keeps one position to backtrack to, so no pattern takes more than text × pattern steps.

/// Whether `text` matches a LIKE pattern; ASCII letters match in either case.
pub(crate) fn like(pattern: &str, text: &str, escape: Option<char>) -> bool {
    enum Part {
        Any,
        One,
        Exactly(char),
    }
    let mut parts = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            c if Some(c) == escape => match chars.next() {
                Some(escaped) => Part::Exactly(escaped),
                None => return false,
            },
            '%' => Part::Any,
            '_' => Part::One,
            c => Part::Exactly(c),
        });
    }
    matches(
        &parts,
        text,
        |part| matches!(part, Part::Any),
        |part, c| match part {
            Part::Any => false,
            Part::One => true,
            Part::Exactly(expected) => expected.eq_ignore_ascii_case(&c),
        },
    )
}

/// Whether `text` matches a GLOB pattern.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    enum Part {
        Any,
        One,
        Exactly(char),
        Set { negated: bool, ranges: Vec<(char, char)> },
        Never,
    }
    let mut parts = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One,
            '[' => {
                let negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                if chars.next_if_eq(&']').is_some() {
                    ranges.push((']', ']'));
                }
                let mut closed = false;
                while let Some(first) = chars.next() {
                    if first == ']' {
                        closed = true;
                        break;
                    }
                    let mut ahead = chars.clone();
                    if ahead.next() == Some('-') && ahead.peek().is_some_and(|&c| c != ']') {
                        chars.next();
                        let last = chars.next().unwrap_or(first);
                        ranges.push((first, last));
                    } else {
                        ranges.push((first, first));
                    }
                }
                if closed { Part::Set { negated, ranges } } else { Part::Never }
            }
            c => Part::Exactly(c),
        });
    }
    matches(
        &parts,
        text,
        |part| matches!(part, Part::Any),
        |part, c| match part {
            Part::Any | Part::Never => false,
            Part::One => true,
            Part::Exactly(expected) => *expected == c,
            Part::Set { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *negated
            }
        },
    )
}

fn matches<P>(parts: &[P], text: &str, is_any: impl Fn(&P) -> bool, fits: impl Fn(&P, char) -> bool) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut back: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if at < parts.len() && is_any(&parts[at]) {
            at += 1;
            back = Some((at, rest.clone()));
            continue;
        }
        match rest.next() {
            Some(c) if at < parts.len() && fits(&parts[at], c) => {
                at += 1;
                continue;
            }
            None if at == parts.len() => return true,
            None => return false,
            Some(_) => {}
        }
        match &mut back {
            Some((resume, from)) => {
                if from.next().is_none() {
                    return false;
                }
                at = *resume;
                rest = from.clone();
            }
            None => return false,
        }
    }
}
