use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
#[allow(non_snake_case)]
struct Thing {
    /// Number of the thing.
    id: i64,
    /// SQL's names are the same in either case.
    ID: i64,
}

fn main() {}
