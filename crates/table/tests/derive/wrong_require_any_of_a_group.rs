use indago_table::prelude::*;

#[derive(Debug, Default, Columns)]
struct Size {
    /// Width, in millimetres.
    width: i64,
}

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", require_any(width))]
struct Thing {
    /// Name of the thing.
    name: String,
    #[column(flatten)]
    size: Size,
}

impl Rows for Thing {
    fn rows(_: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

/// Others.
#[derive(Debug, Default, Table)]
#[table(name = "others", require_any(height))]
struct Other {
    /// Name of the thing.
    name: String,
    #[column(flatten)]
    size: Size,
}

impl Rows for Other {
    fn rows(_: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

fn main() {}
