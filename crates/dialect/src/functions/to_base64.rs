use super::prelude::*;

scalar! {
    /// A text in base64.
    "to_base64"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT to_base64('hi')" => "aGk=",
    eval: |args, _| Ok(args[0].as_bytes().map_or(Value::Null, |bytes| Value::text(BASE64_STANDARD.encode(bytes))))
}
