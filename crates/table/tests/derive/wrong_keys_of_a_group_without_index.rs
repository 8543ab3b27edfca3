use indago_table::prelude::*;

#[derive(Debug, Default, Columns)]
struct Size {
    /// Width, in millimetres.
    width: i64,
}

#[derive(Debug, Default, Columns)]
struct Place {
    /// Room that it is in.
    #[column(index)]
    room: i64,
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
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let widths = scan.keys(Self::SIZE.at(Size::WIDTH)).unwrap_or_default();
        let rooms = scan.keys(Self::SIZE.at(Place::ROOM)).unwrap_or_default();
        Ok(std::iter::once(Thing { name: format!("{widths:?} {rooms:?}"), ..Thing::default() }))
    }
}

fn main() {}
