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
    #[column(flatten)]
    size: Size,
    /// Width, once more.
    width: i64,
}

impl Rows for Thing {
    fn rows(_: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

fn main() {}
