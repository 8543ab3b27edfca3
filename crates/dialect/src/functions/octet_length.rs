use super::prelude::*;

scalar! {
    /// The number of bytes in the text of a value.
    "octet_length"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT octet_length('hé')" => "3",
    eval: |args, _| Ok(args[0].as_bytes().map_or(Value::Null, |bytes| Value::Int(bytes.len() as i64)))
}
