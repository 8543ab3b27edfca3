use super::prelude::*;

scalar! {
    /// The bytes of a value as upper-case hexadecimal digits.
    "hex"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT hex('AB')" => "4142",
    example "SELECT hex(12)" => "3132",
    eval: |args, _| Ok(Value::text(hex::encode_upper(args[0].as_bytes().unwrap_or_default())))
}
