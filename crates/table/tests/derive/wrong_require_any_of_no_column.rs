use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", require_any(id, nme))]
struct Thing {
    /// Number of the thing.
    #[column(index)]
    id: i64,
    /// Name of the thing.
    #[column(index)]
    name: String,
}

fn main() {}
