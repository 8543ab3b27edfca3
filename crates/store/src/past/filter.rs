//! Conditions on recorded rows: keys, and conditions on a table whose columns are elsewhere.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::DataType;
use indago_table::scan::RowGroups;
use indago_table::{Collation, ColumnSpec, Error, Result, RowFilter, Scalar};

/// The condition that a column has one of the keys of a scan. The engine does not check keys again.
#[derive(Debug)]
pub(super) struct InKeys {
    column: [usize; 1],
    ignores_case: bool,
    texts: HashSet<String>,
    numbers: HashSet<i64>,
    booleans: HashSet<bool>,
}

impl InKeys {
    pub(super) fn new(position: usize, column: &ColumnSpec, keys: &[Scalar]) -> Self {
        let mut own = InKeys {
            column: [position],
            ignores_case: column.collation == Collation::NoCase,
            texts: HashSet::new(),
            numbers: HashSet::new(),
            booleans: HashSet::new(),
        };
        for key in keys {
            match key {
                Scalar::Text(text) => _ = own.texts.insert(text.clone()),
                Scalar::Integer(number) | Scalar::Timestamp(number) => _ = own.numbers.insert(*number),
                Scalar::Boolean(value) => _ = own.booleans.insert(*value),
                // No column has such keys.
                Scalar::Real(_) => {}
            }
        }
        own
    }

    fn has_text(&self, text: &str) -> bool {
        match self.ignores_case {
            true => self.texts.contains(&text.to_ascii_lowercase()),
            false => self.texts.contains(text),
        }
    }

    /// Which values are keys; NULL is not one.
    fn found(&self, values: &dyn Array) -> Option<Vec<bool>> {
        let numbers = |number: Option<i64>| number.is_some_and(|number| self.numbers.contains(&number));
        Some(match values.data_type() {
            DataType::Utf8View => {
                values.as_string_view().iter().map(|text| text.is_some_and(|text| self.has_text(text))).collect()
            }
            DataType::Int64 => values.as_primitive::<Int64Type>().iter().map(numbers).collect(),
            DataType::Timestamp(..) => {
                values.as_primitive_opt::<TimestampMicrosecondType>()?.iter().map(numbers).collect()
            }
            DataType::Boolean => {
                let has = |value: Option<bool>| value.is_some_and(|value| self.booleans.contains(&value));
                values.as_boolean().iter().map(has).collect()
            }
            _ => return None,
        })
    }

    /// Whether a key lies between two values.
    fn any_between(&self, minima: &dyn Array, maxima: &dyn Array, group: usize) -> Option<bool> {
        if minima.is_null(group) || maxima.is_null(group) {
            return None;
        }
        let is_between = |least: i64, greatest: i64| self.numbers.iter().any(|key| (least..=greatest).contains(key));
        Some(match minima.data_type() {
            DataType::Utf8View => {
                let (least, greatest) = (minima.as_string_view().value(group), maxima.as_string_view().value(group));
                self.texts.iter().any(|key| (least..=greatest).contains(&key.as_str()))
            }
            DataType::Int64 => {
                let value = |values: &dyn Array| values.as_primitive::<Int64Type>().value(group);
                is_between(value(minima), value(maxima))
            }
            DataType::Timestamp(..) => {
                let value =
                    |values: &dyn Array| Some(values.as_primitive_opt::<TimestampMicrosecondType>()?.value(group));
                is_between(value(minima)?, value(maxima)?)
            }
            _ => return None,
        })
    }
}

impl RowFilter for InKeys {
    fn columns(&self) -> &[usize] {
        &self.column
    }

    fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        let values = rows.column(0);
        let found = self.found(values.as_ref());
        found.map(BooleanArray::from).ok_or_else(|| {
            Error::Malformed(format!("keys of type {} cannot be looked up in recorded rows", values.data_type()))
        })
    }

    fn may_keep(&self, groups: &RowGroups) -> Option<Vec<bool>> {
        let [Some(bounds)] = groups.columns.as_slice() else { return None };
        if self.ignores_case {
            return None;
        }
        let group = |group| self.any_between(bounds.minima.as_ref(), bounds.maxima.as_ref(), group).unwrap_or(true);
        Some((0..groups.rows.len()).map(group).collect())
    }
}

/// A condition whose columns are at smaller positions in the rows that it reads.
#[derive(Debug)]
pub(super) struct Shifted {
    filter: Arc<dyn RowFilter>,
    columns: Vec<usize>,
}

impl Shifted {
    /// `None` if a column of the condition is before `first`.
    pub(super) fn by(filter: &Arc<dyn RowFilter>, first: usize, end: usize) -> Option<Arc<dyn RowFilter>> {
        let shift = |column: &usize| (first..end).contains(column).then(|| column - first);
        let columns = filter.columns().iter().map(shift).collect::<Option<Vec<_>>>()?;
        Some(Arc::new(Shifted { filter: filter.clone(), columns }))
    }
}

impl RowFilter for Shifted {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        self.filter.keep(rows)
    }

    fn may_keep(&self, groups: &RowGroups) -> Option<Vec<bool>> {
        self.filter.may_keep(groups)
    }
}
