use super::prelude::*;

scalar! {
    /// The base64 of a text if it contains anything but printable ASCII, otherwise the text itself.
    "conditional_to_base64"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT conditional_to_base64('hi')" => "hi",
    example "SELECT conditional_to_base64('é')" => "w6k=",
    eval: |args, _| {
        let Some(bytes) = args[0].as_bytes() else { return Ok(Value::Null) };
        let printable = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
        Ok(Value::text(if printable { String::from_utf8_lossy(&bytes).into_owned() } else { BASE64_STANDARD.encode(&bytes) }))
    }
}
