use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Its label.
    #[column(source = label())]
    label: Option<String>,
}

fn main() {}
