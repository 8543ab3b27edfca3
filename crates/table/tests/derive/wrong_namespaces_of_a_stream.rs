use indago_table::prelude::*;

/// Names.
#[derive(Debug, Default, Table)]
#[table(name = "names", stream, namespaces)]
#[example("All of them.", "SELECT name FROM names")]
struct Name {
    /// Name.
    name: String,
}

/// Names.
#[derive(Debug, Default, Table)]
#[table(name = "others", namespaces(net))]
#[example("All of them.", "SELECT name FROM others")]
struct Other {
    /// Name.
    name: String,
}

fn main() {}
