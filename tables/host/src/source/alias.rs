//! Second names of tables, as in osquery.

use indago_table::{TableRef, with_spec};

/// A table under another name; osquery has views for these.
pub(crate) fn of(name: &'static str, table: TableRef) -> TableRef {
    let mut spec = table.spec().clone();
    spec.description = format!("The same as `{}`.\n\n{}", spec.name, spec.description).into();
    spec.alias_of = Some(std::mem::replace(&mut spec.name, name.into()));
    // osquery's view has the same columns, but a list of its tables does not have the view.
    spec.columns.to_mut().iter_mut().for_each(|column| column.added |= column.name == "pid_with_namespace");
    with_spec(table, spec)
}
