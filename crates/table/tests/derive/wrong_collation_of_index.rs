use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Version of the thing.
    #[column(index, collate = version)]
    version: String,
}

fn main() {}
