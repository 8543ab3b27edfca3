use indago_table::prelude::*;

#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Number of the thing.
    id: i64,
}

fn main() {}
