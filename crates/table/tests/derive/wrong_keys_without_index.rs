use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing {
    /// Number of the thing.
    id: i64,
    /// When it was made.
    #[column(index)]
    made: i64,
}

impl Rows for Thing {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let (from, _) = scan.range(Self::MADE);
        let ids = scan.keys(Self::ID).unwrap_or_default();
        Ok(ids.iter().map(|id| Thing { id: *id, made: from.unwrap_or_default() }).collect::<Vec<_>>().into_iter())
    }
}

fn main() {}
