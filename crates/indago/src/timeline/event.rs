//! A changed row in words: the names of its columns and their values.

use datafusion::arrow::array::{Array, ArrayRef, ListArray, RecordBatch, StructArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indago_table::Timestamp;
use indago_tables_registry::links::Linked;

/// The most characters of a value that are shown.
const LONGEST: usize = 200;
/// The most changed columns of a row that are shown.
const MOST_COLUMNS: usize = 12;

/// One row of a result.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub(super) batch: &'a RecordBatch,
    pub(super) row: usize,
}

impl Cells<'_> {
    /// The complete text of a value; `None` if it is NULL.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        displayed(self.batch.column_by_name(column)?, self.row)
    }

    pub(super) fn time(&self, column: &str) -> Option<Timestamp> {
        let array = self.batch.column_by_name(column)?;
        let times = cast(&array.slice(self.row, 1), &DataType::Timestamp(TimeUnit::Microsecond, None)).ok()?;
        let times = times.as_any().downcast_ref::<TimestampMicrosecondArray>()?;
        times.is_valid(0).then(|| Timestamp(times.value(0)))
    }

    /// The name of the row's object.
    pub(super) fn label(&self, linked: &Linked) -> String {
        let names: Vec<String> =
            linked.names.iter().filter_map(|name| self.text(name)).map(|name| short(&name)).collect();
        names.join("/")
    }

    /// The columns that describe the row.
    pub(super) fn facts(&self, linked: &Linked) -> String {
        let fact = |column: &&str| {
            let value = self.text(column).filter(|value| !value.is_empty())?;
            Some(format!("{} {}", column, short(&value)))
        };
        let facts: Vec<String> = linked.facts.iter().filter_map(fact).collect();
        facts.join(", ")
    }

    /// The columns that changed, with their old and new values.
    pub(super) fn differences(&self) -> String {
        let before =
            self.batch.column_by_name("before").and_then(|before| before.as_any().downcast_ref::<StructArray>());
        let Some((before, names)) = before.zip(self.changed()) else { return String::new() };
        let shown = |value: Option<String>| value.map_or_else(|| "NULL".to_owned(), |value| short(&value));
        let difference = |name: &String| {
            let old = before.column_by_name(name).and_then(|old| displayed(old, self.row));
            format!("{name} {} → {}", shown(old), shown(self.text(name)))
        };
        let mut differences: Vec<String> = names.iter().take(MOST_COLUMNS).map(difference).collect();
        if names.len() > MOST_COLUMNS {
            differences.push(format!("{} more columns", names.len() - MOST_COLUMNS));
        }
        differences.join(", ")
    }

    fn changed(&self) -> Option<Vec<String>> {
        let lists = self.batch.column_by_name("changed")?.as_any().downcast_ref::<ListArray>()?;
        let names = lists.is_valid(self.row).then(|| lists.value(self.row))?;
        Some((0..names.len()).filter_map(|at| displayed(&names, at)).collect())
    }
}

fn displayed(array: &ArrayRef, row: usize) -> Option<String> {
    let options = FormatOptions::default();
    let value = array.is_valid(row).then(|| ArrayFormatter::try_new(array, &options).ok())??;
    value.value(row).try_to_string().ok()
}

/// A value in one line, of limited length.
fn short(value: &str) -> String {
    let mut text = String::new();
    for (count, character) in value.chars().enumerate() {
        if count == LONGEST {
            text.push('…');
            break;
        }
        match character.is_control() {
            true => text.extend(character.escape_default()),
            false => text.push(character),
        }
    }
    text
}
