use super::prelude::*;

scalar! {
    /// A JSON text without white space; text that is not JSON is an error.
    "json"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT json(' {\"a\" : 1} ')" => "{\"a\":1}",
    eval: |args, _| match args[0].as_text() {
        None => Ok(Value::Null),
        Some(text) => Ok(Value::text(document::minified(&text)?)),
    }
}
