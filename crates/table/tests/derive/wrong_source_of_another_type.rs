use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Its width.
    #[column(source = text("width"))]
    width: Option<i64>,
}

impl Thing {
    fn text(&self, _: &Sys, name: &str) -> Result<Option<String>> {
        Ok(Some(name.to_owned()))
    }
}

impl Rows for Thing {
    fn rows(_: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

fn main() {}
