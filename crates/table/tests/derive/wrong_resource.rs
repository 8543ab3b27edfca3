use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
#[resource("things")]
struct Thing {
    /// Number of the thing.
    id: i64,
}

/// Others.
#[derive(Debug, Default, Table)]
#[table(name = "others")]
#[resource("v1/others", everywhere)]
struct Other {
    /// Number of the thing.
    id: i64,
}

/// Objects that nothing tells apart.
#[derive(Debug, Default, Table)]
#[table(name = "objects")]
#[resource("v1/objects")]
struct Object {
    /// Number of the thing.
    id: i64,
}

fn main() {}
