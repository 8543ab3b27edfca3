use indago_table::prelude::*;

#[derive(Debug, Default, Columns)]
struct Size {
    /// Width, in millimetres.
    width: i64,
}

#[derive(Debug, Default, Columns)]
struct Body {
    /// Weight, in grams.
    weight: i64,
    #[column(flatten)]
    size: Size,
}

fn main() {}
