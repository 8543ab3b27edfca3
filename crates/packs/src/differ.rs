//! The difference between one result and the next.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

/// Added and removed rows. A row is the text of its JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Rows of the previous result only.
    pub removed: Vec<String>,
    /// Rows of the current result only.
    pub added: Vec<String>,
}

impl Difference {
    /// Compares two results as multisets: if a row occurs once before and twice now, it was added once.
    pub fn between(previous: &[impl AsRef<str>], current: &[impl AsRef<str>]) -> Self {
        Self::ignoring(&BTreeSet::new(), previous, current)
    }

    /// Like [`between`](Self::between), but ignores some columns.
    pub fn ignoring(ignored: &BTreeSet<String>, previous: &[impl AsRef<str>], current: &[impl AsRef<str>]) -> Self {
        let mut counts: HashMap<Cow<'_, str>, i64> = HashMap::with_capacity(previous.len());
        for row in previous {
            *counts.entry(without(ignored, row.as_ref())).or_default() += 1;
        }
        let mut added = Vec::new();
        for row in current {
            match counts.get_mut(&without(ignored, row.as_ref())) {
                Some(count) if *count > 0 => *count -= 1,
                _ => added.push(row.as_ref().to_owned()),
            }
        }
        // The remaining rows were removed; they keep their order.
        let mut removed = Vec::new();
        for row in previous.iter().rev() {
            if let Some(count) = counts.get_mut(&without(ignored, row.as_ref())).filter(|count| **count > 0) {
                *count -= 1;
                removed.push(row.as_ref().to_owned());
            }
        }
        removed.reverse();
        Self { removed, added }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// A row without some of its columns.
fn without<'a>(ignored: &BTreeSet<String>, row: &'a str) -> Cow<'a, str> {
    if ignored.is_empty() {
        return Cow::Borrowed(row);
    }
    match serde_json::from_str::<Map<String, Value>>(row) {
        Ok(columns) => {
            let kept: Map<String, Value> = columns.into_iter().filter(|(name, _)| !ignored.contains(name)).collect();
            Cow::Owned(Value::Object(kept).to_string())
        }
        Err(_) => Cow::Borrowed(row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_columns_make_no_difference() {
        let row = |pid: i64, time: i64| format!(r#"{{"pid":"{pid}","time":"{time}"}}"#);
        let time = BTreeSet::from(["time".to_owned()]);
        let (before, after) = ([row(1, 5), row(2, 5), row(3, 5)], [row(1, 6), row(3, 5), row(4, 6)]);
        let difference = Difference::ignoring(&time, &before, &after);
        assert_eq!(difference, Difference { removed: vec![row(2, 5)], added: vec![row(4, 6)] });
        assert_eq!(Difference::between(&before, &after).removed.len(), 2);
    }

    fn rows(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn multisets() {
        for (previous, current, removed, added) in [
            ("", "", "", ""),
            ("", "a b", "", "a b"),
            ("a b", "", "a b", ""),
            ("a b", "b a", "", ""),
            ("a", "a a", "", "a"),
            ("a a b", "a", "a b", ""),
            ("a b c", "b d d", "a c", "d d"),
        ] {
            let difference = Difference::between(&rows(previous), &rows(current));
            assert_eq!(
                difference,
                Difference { removed: rows(removed), added: rows(added) },
                "{previous} -> {current}"
            );
            assert_eq!(difference.is_empty(), removed.is_empty() && added.is_empty());
        }
    }
}
