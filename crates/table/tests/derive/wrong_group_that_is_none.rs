use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Name of the thing.
    name: String,
    #[column(flatten)]
    size: String,
}

impl Rows for Thing {
    fn rows(_: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

fn main() {}
