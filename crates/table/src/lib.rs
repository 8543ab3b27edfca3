//! Definition of tables.
//!
//! A table is a struct. Its fields are the columns in the order of `SELECT *`, their doc comments are the
//! documentation, and `#[derive(Table)]` turns both into constant data. One method finds the rows: [`Rows::rows`],
//! [`RowParts::rows`] or [`RowStream::rows`]. Columns that need a further read come from a *source*, a method that
//! fills its columns if a query wants one of them, for one row or for a batch. Columns that several tables share, with
//! their keys and sources, are a group: a separate struct with `#[derive(Columns)]`, which a table includes as a field
//! with `#[column(flatten)]`. The documentation of the two derive macros lists their attributes.
//!
//! This crate depends on Arrow arrays, but not on a query engine or an async runtime; a row type can be used without
//! both.

#![warn(missing_docs)]

extern crate self as indago_table;

pub mod catalog;
pub mod cgroup;
mod closest;
pub mod coverage;
mod detached;
pub mod diagnostic;
pub mod driver;
pub mod error;
pub mod events;
pub mod function;
pub mod json;
mod namespaces;
pub mod row;
pub mod scan;
mod several;
pub mod spec;
mod stamp;
pub mod sys;
pub mod table;
pub mod value;

pub use catalog::{Catalog, CatalogContext, CatalogRef};
pub use closest::closest;
pub use coverage::{Completeness, Coverage};
pub use detached::spawn_detached;
pub use diagnostic::{Diagnostics, Lines, Outcome, Warning};
pub use error::{Error, ErrorContext, Result};
pub use events::{EventLimits, EventSource, EventTotals, Events};
pub use function::{Argument, Call, Evaluate, Function, FunctionRef, FunctionSpec};
pub use indago_table_derive::{Columns, Table};
pub use namespaces::{InNamespaces, namespace_inode};
pub use row::{AnyRow, Columns, Environment, Load, LoadAsync, Loading, Misfit, Part, Row, RowParts, RowStream, Rows};
pub use scan::{
    AnyScan, Budget, CallCount, ColumnConstraint, Constraints, Gate, Held, Meter, PastRows, PastTableRows, Pattern,
    Permit, QueryScope, Reader, RowFilter, Scalar, Scan, ScanContext,
};
pub use several::Several;
pub use spec::{
    Collation, ColumnSpec, Example, KeyEffect, Kind, Lookup, Past, ResourceSpec, SourceSpec, Spec, TableSpec,
    first_sentence,
};
pub use sys::Sys;
pub use table::{Blocking, Parted, Reading, Sink, Slice, Streaming, Table, TableRef, with_spec};
pub use value::{Json, KeyValue, Map, NoCase, Period, Timestamp, Value};

/// Imports for a file with a table.
pub mod prelude {
    pub use crate::error::{Error, ErrorContext, Result};
    pub use crate::row::{Environment, Loading, Row, RowParts, RowStream, Rows};
    pub use crate::scan::Scan;
    pub use crate::sys::Sys;
    pub use crate::table::TableRef;
    pub use crate::value::{Json, Map, NoCase, Timestamp};
    pub use indago_table_derive::{Columns, Table};
}

/// The tables of an environment: a list of row types, one per line.
///
/// ```ignore
/// pub fn tables(sys: &Sys) -> Vec<TableRef> {
///     indago_table::tables![sys; processes::Process, users::User]
/// }
/// ```
#[macro_export]
macro_rules! tables {
    ($env:expr; $($row:path),* $(,)?) => {
        vec![$(<$row>::table($env)),*]
    };
}

#[doc(hidden)]
pub mod derive {
    //! Items that the derive macro's output refers to.
    pub use crate::json::{assign, fill_group};
    pub use crate::namespaces::InNamespaces;
    pub use crate::row::{Load, LoadAsync, LoadGroup, LoadGroupAsync, Misfit, Row, load_group, load_group_async};
    pub use crate::scan::{BoxFuture, Column, Group, Scalar, Scan};
    pub use crate::spec::{
        Collation, ColumnSpec, Example, KeyEffect, Kind, Lookup, Past, Piece, ResourceSpec, SourceSpec, TableParts,
        TableSpec, assert_distinct, column, flattened, key_position, position, required, table,
    };
    pub use crate::table::{Blocking, Parted, Streaming, TableRef};
    pub use crate::value::{NoCase, Value};
    pub use arrow_array::builder::ArrayBuilder;
    pub use serde_json::Value as Document;
    pub use std::borrow::Cow;
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::scan::ScanContext;

    /// Numbers up to ten.
    #[derive(Debug, Default, Table)]
    #[table(name = "numbers")]
    #[example("All of them.", "SELECT n FROM numbers")]
    struct Number {
        /// The number.
        #[column(index)]
        n: i64,
        /// Its square.
        #[column(source = square)]
        square: Option<i64>,
        #[column(flatten, path = "a.parts")]
        parts: Parts,
        /// A word.
        #[column(path = "a.b")]
        r#type: Option<String>,
        #[column(flatten)]
        whole: Whole,
    }

    #[derive(Debug, Default, Columns)]
    struct Parts {
        /// How many.
        #[column(path = "count")]
        count: i64,
        /// Of what.
        #[column(path = "of.name")]
        of: Option<String>,
    }

    #[derive(Debug, Default, Columns)]
    struct Whole {
        /// What it is called.
        #[column(hidden, path = "name")]
        name: Option<String>,
    }

    impl Rows for Number {
        fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
            let numbers = scan.keys(Self::N).unwrap_or_else(|| (0..10).collect());
            Ok(numbers.into_iter().filter(|n| (0..10).contains(n)).map(|n| Number { n, ..Number::default() }))
        }
    }

    impl Number {
        fn square(&mut self, _sys: &Sys) -> Result<()> {
            self.square = Some(self.n * self.n);
            Ok(())
        }
    }

    #[test]
    fn a_row_type_is_a_table_without_any_engine() {
        let table = Number::table(&Sys::live());
        assert_eq!(table.spec().column("type"), Some(4));
        let slices = table.slices(&ScanContext::new([0, 1])).expect("no parts to find");
        assert_eq!(slices.len(), 1);
    }

    #[test]
    fn groups_of_columns_stand_where_their_field_stands() {
        let columns = &Number::SPEC.columns;
        let told: Vec<_> = columns.iter().map(|column| (column.name.as_ref(), column.path.as_deref())).collect();
        let expected = [
            ("n", None),
            ("square", None),
            ("count", Some("a.parts.count")),
            ("of", Some("a.parts.of.name")),
            ("type", Some("a.b")),
            ("name", Some("name")),
        ];
        assert_eq!(told, expected);
        let document = serde_json::json!({"a": {"b": "x", "parts": {"count": 3, "of": {"name": "y"}}}, "name": "z"});
        let mut row = Number::default();
        assert_eq!(row.fill(&document, &[true, true, false, true, true, true]), []);
        assert_eq!((row.r#type.as_deref(), row.parts.count, row.parts.of.as_deref()), (Some("x"), 0, Some("y")));
        let texts: Vec<_> = [4, 3, 5]
            .map(|column| {
                let mut builder = crate::value::builder(&columns[column].kind, 1);
                row.append(column, builder.as_mut());
                arrow_array::cast::AsArray::as_string_view(&builder.finish()).value(0).to_owned()
            })
            .into();
        assert_eq!(texts, ["x", "y", "z"]);
    }

    #[test]
    fn what_does_not_fit_its_column_is_told_and_what_is_absent_is_not() {
        let cases = [
            (
                serde_json::json!({"a": {"b": {}, "parts": {"count": "many", "of": [1]}}}),
                "2: a text, 3: a list, 4: an object",
            ),
            (serde_json::json!({"a": {"b": 5, "parts": {"count": "7", "of": null}}, "name": true}), ""),
            (serde_json::json!({"a": "x", "name": ["z"]}), "2: a text, 3: a text, 4: a text, 5: a list"),
            (serde_json::json!({"a": [null]}), "2: a list, 3: a list, 4: a list"),
            (serde_json::json!({"a": null}), ""),
            (serde_json::json!({}), ""),
        ];
        for (document, expected) in cases {
            let misfits = Number::default().fill(&document, &[true; 6]);
            let told: Vec<_> = misfits.iter().map(|misfit| format!("{}: {}", misfit.column, misfit.found)).collect();
            assert_eq!(told.join(", "), expected, "{document}");
        }
        let scan = Scan::<Number>::new(ScanContext::new([4]), &Sys::live());
        let document = serde_json::json!({"a": {"b": ["x"]}});
        (0..3).for_each(|_| scan.fill(&mut Number::default(), &document, scan.wanted(), &"here"));
        let warnings: Vec<_> = scan.context().query.diagnostics().warnings().iter().map(ToString::to_string).collect();
        assert_eq!(warnings, ["numbers (here, type): `a.b` holds a list, which does not fit the column [3 times]"]);
    }
}
