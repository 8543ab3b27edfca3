use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Number of the thing.
    id: i64,
    /// Its label.
    #[column(source = label)]
    label: Option<String>,
}

impl Thing {
    fn label(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Rows for Thing {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

fn main() {}
