use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Where the thing is.
    place: std::ops::Range<u8>,
}

impl Rows for Thing {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

fn main() {}
