use indago_table::prelude::*;

/// Things.
#[derive(Debug, Default, Table)]
#[table(name = "things")]
struct Thing(i64);

/// One thing or another.
#[derive(Debug, Table)]
#[table(name = "others")]
enum Other {
    One,
}

fn main() {}
