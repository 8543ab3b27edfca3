use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", batch(label = 100))]
struct Thing {
    /// Number of the thing.
    id: i64,
}

fn main() {}
