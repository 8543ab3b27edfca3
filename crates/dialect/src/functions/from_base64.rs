use super::prelude::*;

scalar! {
    /// Decodes base64 to text; the empty text if it is not base64.
    "from_base64"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT from_base64('aGk=')" => "hi",
    eval: |args, _| {
        let Some(bytes) = args[0].as_bytes() else { return Ok(Value::Null) };
        let decoded = BASE64_STANDARD.decode(bytes).unwrap_or_default();
        Ok(Value::text(String::from_utf8_lossy(&decoded)))
    }
}
