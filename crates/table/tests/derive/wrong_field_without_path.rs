use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Number of the thing.
    #[column(index(field))]
    id: i64,
    /// Name of the thing.
    #[column(slice(selector), path = "name")]
    name: String,
}

fn main() {}
