use super::prelude::*;

scalar! {
    /// A value as bytes, like `CAST(x AS BLOB)`.
    "as_blob"("x")
    1..=1 => Returns::Blob,
    Immutable,
    example "SELECT quote(CAST('a' AS BLOB))" => "X'61'",
    eval: |args, _| Ok(args[0].as_bytes().map_or(Value::Null, |bytes| Value::blob(bytes)))
}
