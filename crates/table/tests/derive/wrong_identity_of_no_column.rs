use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", identity(serial))]
struct Thing {
    /// Name of the thing.
    name: String,
}

fn main() {}
