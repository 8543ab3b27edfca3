use super::prelude::*;

scalar! {
    /// The bytes of a value as uppercase hexadecimal digits.
    "hex"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT hex('AB')" => "4142",
    example "SELECT hex(12)" => "3132",
    eval: |args, moment| {
        let bytes = args[0].as_bytes().unwrap_or_default();
        moment.check(bytes.len().saturating_mul(2))?;
        Ok(Value::text(hex::encode_upper(bytes)))
    }
}
