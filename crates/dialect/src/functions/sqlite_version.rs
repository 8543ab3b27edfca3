use super::prelude::*;

scalar! {
    /// The version of SQLite in osquery, which this dialect follows.
    "sqlite_version"("")
    0..=0 => Returns::Text,
    Immutable,
    example "SELECT sqlite_version()" => "3.42.0",
    eval: |_, _| Ok(Value::text("3.42.0"))
}
