use indago_table::prelude::*;

#[derive(Debug, Default, Columns)]
#[columns(stream)]
struct Size {
    /// Width, in millimetres.
    #[column(source = width)]
    width: Option<i64>,
}

impl Size {
    async fn width<T: Row<Env = Sys>>(&mut self, _scan: &Scan<T>) -> Result<()> {
        Ok(())
    }
}

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
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

fn main() {}
