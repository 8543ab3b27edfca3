use super::prelude::*;

scalar! {
    /// A value as an integer, like `CAST(x AS INTEGER)`: the leading integer of a text, a real truncated towards zero.
    "as_integer"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT CAST('12abc' AS INTEGER)" => "12",
    example "SELECT CAST(-7.9 AS INTEGER)" => "-7",
    simplify: simplify::as_integer,
    eval: |args, _| Ok(args[0].as_int().map_or(Value::Null, Value::Int))
}
