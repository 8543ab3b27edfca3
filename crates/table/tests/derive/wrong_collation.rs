use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Name of the thing.
    #[column(collate = ignore_case)]
    name: String,
}

fn main() {}
