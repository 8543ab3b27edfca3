use indago_table::prelude::*;

#[derive(Debug, Default, Columns)]
#[columns(rows = 5)]
struct Size {
    /// Width, in millimetres.
    width: i64,
}

fn main() {}
