//! Comparisons of numbers with texts: `mtime > datetime('now')`, `mtime > '2020-01-01'`.
//!
//! SQL orders every number before every text, so the comparison is valid and its result says nothing about the values.
//! A warning reports it.

use indago_dialect::{ComparedText, Mismatch};
use indago_table::{Error as TableError, Warning};

/// The longest text that a warning repeats.
const SHOWN: usize = 40;

/// A warning for each column of numbers that a statement compares with a text.
pub(crate) fn warnings(mismatches: Vec<Mismatch>) -> impl Iterator<Item = Warning> {
    mismatches.into_iter().filter_map(|Mismatch { relation, column, is_boolean, text }| {
        let (shown, instead) = match text {
            ComparedText::Time(function) => (format!("{function}(..)"), "seconds, as in `unixepoch('now')`".to_owned()),
            ComparedText::Literal(text) if is_date(&text) => {
                (format!("'{text}'"), format!("seconds, as in `unixepoch('{text}')`"))
            }
            ComparedText::Literal(text) => {
                let shown: String = text.chars().take(SHOWN).collect();
                let rest = if shown.len() < text.len() { "..." } else { "" };
                (format!("'{shown}{rest}'"), "a number".to_owned())
            }
        };
        let (kind, instead) =
            if is_boolean { ("a boolean", "true or false".to_owned()) } else { ("a number", instead) };
        let error = TableError::Unsupported(format!(
            "`{column}` is {kind} and `{shown}` is text, so the comparison says nothing about the values; compare with \
             {instead}"
        ));
        Warning::of(&relation, &column, &error)
    })
}

/// Whether a text is a date, perhaps with a time, as SQLite's date functions read it.
fn is_date(text: &str) -> bool {
    let in_date = |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    (10..=SHOWN).contains(&text.len())
        && text.bytes().take(10).enumerate().all(in_date)
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-:. TZ+".contains(&byte))
}
