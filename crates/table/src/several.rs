//! One table over several equal tables: the same table of several machines, with a column for the origin.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::scan::{Scalar, ScanContext};
use crate::spec::{ColumnSpec, Kind, TableSpec, Text};
use crate::stamp::{Constant, Stamp};
use crate::table::{Reading, Slice, Table, TableRef};

/// A table with the rows of several tables that have the same columns. Its last column, hidden and a key, identifies
/// the table of each row. Only tables that the keys name are read.
pub struct Several {
    spec: TableSpec,
    parts: Vec<(Arc<str>, TableRef)>,
    checks_filters: bool,
}

impl fmt::Debug for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Several").field(&self.spec.name).field(&self.parts.len()).finish()
    }
}

impl Several {
    /// The table over `parts`, each with its origin; `None` without any.
    pub fn of(column: &'static str, description: &'static str, parts: Vec<(Arc<str>, TableRef)>) -> Option<Self> {
        let mut spec = parts.first()?.1.spec().clone();
        let mut origin = ColumnSpec::new(column, Kind::Text, description);
        (origin.nullable, origin.index, origin.slice) = (false, true, true);
        (origin.hidden, origin.added) = (true, true);
        spec.columns.to_mut().push(origin);
        if !spec.identity.is_empty() {
            spec.identity.to_mut().push(Text::Borrowed(column));
        }
        let checks_filters = parts.iter().all(|(_, part)| part.checks_filters());
        Some(Several { spec, parts, checks_filters })
    }

    /// Position of the origin column.
    fn origin(&self) -> usize {
        self.spec.columns.len() - 1
    }
}

impl Table for Several {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let asked = context.constraints.keys(self.origin());
        let is_asked = |origin: &Arc<str>| {
            asked.is_none_or(|keys| keys.iter().any(|key| matches!(key, Scalar::Text(text) if **text == **origin)))
        };
        context.report_absent(&self.spec, self.origin(), |key| {
            let known: Vec<&str> = self.parts.iter().map(|(name, _)| &**name).collect();
            let column = &self.spec.columns[self.origin()].name;
            let message = || format!("{column} = '{key}' is not configured; there are: {}", known.join(", "));
            (!known.contains(&key)).then(message)
        });
        let mut slices = Vec::new();
        for (origin, part) in self.parts.iter().filter(|(origin, _)| is_asked(origin)) {
            let stamp = Stamp::new(&self.spec, [Constant::Text(origin.clone())]);
            let within = (self.parts.len() > 1).then(|| context.slice_name(origin).into());
            let parts = part.slices(&ScanContext { within, ..stamp.inner(context) })?;
            let column = &*self.spec.columns[self.origin()].name;
            slices
                .extend(parts.into_iter().map(|slice| known(stamp.on_slice(slice, &context.columns), column, origin)));
        }
        Ok(slices)
    }

    fn checks_filters(&self) -> bool {
        self.checks_filters
    }
}

/// A slice and those that are found in it, with the origin of all of its rows.
fn known(mut slice: Slice, column: &str, origin: &Arc<str>) -> Slice {
    slice.known.insert(column.to_owned(), origin.to_string());
    if let Reading::Finding(find) = slice.reading {
        let (column, origin) = (column.to_owned(), origin.clone());
        let find = move |found: &mut dyn FnMut(Slice) -> bool| find(&mut |slice| found(known(slice, &column, &origin)));
        slice.reading = Reading::Finding(Box::new(find));
    }
    slice
}
