use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", require_any(id, name))]
struct Thing {
    /// Number of the thing.
    #[column(index)]
    id: i64,
    /// Name of the thing.
    name: String,
}

fn main() {}
