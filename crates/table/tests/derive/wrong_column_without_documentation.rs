use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Number of the thing.
    id: i64,
    name: String,
}

fn main() {}
