use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
struct Thing {
    /// Number of the thing.
    id: i64,
}

fn main() {}
