//! Second names of tables, as in osquery.

use std::sync::Arc;

use indago_table::{Result, ScanContext, Slice, Table, TableRef, TableSpec};

/// A table under another name; osquery has views for these.
#[derive(Debug)]
struct Alias {
    spec: TableSpec,
    table: TableRef,
}

pub(crate) fn of(name: &'static str, table: TableRef) -> TableRef {
    let mut spec = table.spec().clone();
    spec.description = format!("The same as `{}`.\n\n{}", spec.name, spec.description).into();
    spec.alias_of = Some(std::mem::replace(&mut spec.name, name.into()));
    // osquery's view has the same columns, but a list of its tables does not have the view.
    spec.columns.to_mut().iter_mut().for_each(|column| column.added |= column.name == "pid_with_namespace");
    Arc::new(Alias { spec, table })
}

impl Table for Alias {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        self.table.slices(context)
    }

    fn checks_filters(&self) -> bool {
        self.table.checks_filters()
    }
}
