use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Number of the thing.
    #[column(selects)]
    id: i64,
}

fn main() {}
