use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Number of the thing.
    #[column(path = "metadata.id", source = number("of"))]
    id: i64,
}

fn main() {}
