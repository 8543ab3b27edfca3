use super::prelude::*;

scalar! {
    /// A text in base64.
    "to_base64"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT to_base64('hi')" => "aGk=",
    eval: |args, moment| {
        let Some(bytes) = args[0].as_bytes() else { return Ok(Value::Null) };
        moment.check(bytes.len().div_ceil(3).saturating_mul(4))?;
        Ok(Value::text(BASE64_STANDARD.encode(bytes)))
    }
}
