use indago_table::prelude::*;

#[derive(Debug, Default, Columns)]
struct Size {
    /// Width, in millimetres.
    #[column(index)]
    width: i64,
}

fn main() {}
