use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    #[column(skip)]
    place: usize,
}

fn main() {}
