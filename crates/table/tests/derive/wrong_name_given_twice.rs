use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", name = "stuff")]
struct Thing {
    /// Number of the thing.
    #[column(needs = "root", needs = "nobody")]
    id: i64,
}

fn main() {}
