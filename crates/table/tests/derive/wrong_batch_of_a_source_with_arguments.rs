use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", batch(text = 10))]
struct Thing {
    /// Its label.
    #[column(source = text("label"))]
    label: Option<String>,
}

fn main() {}
