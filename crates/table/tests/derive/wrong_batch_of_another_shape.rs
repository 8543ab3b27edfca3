use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things", batch(label = 10))]
struct Thing {
    /// Its label.
    #[column(source = label)]
    label: Option<String>,
}

impl Thing {
    fn label(&mut self, _: &Sys) -> Result<()> {
        Ok(())
    }
}

impl Rows for Thing {
    fn rows(_: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

fn main() {}
