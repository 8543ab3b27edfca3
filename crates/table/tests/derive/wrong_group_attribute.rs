use indago_table::prelude::*;

#[derive(Debug, Default, Columns)]
struct Size {
    /// Width, in millimetres.
    width: i64,
}

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Name of the thing.
    name: String,
    #[column(flatten, hidden)]
    size: Size,
}

fn main() {}
