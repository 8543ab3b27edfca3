use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Its label.
    #[column(source = text("label"))]
    label: Option<String>,
    /// Its label again.
    #[column(source = text("label"))]
    name: Option<String>,
}

fn main() {}
