use super::prelude::*;

scalar! {
    /// Text with its ASCII letters in lowercase.
    "lower"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT lower('ABC')" => "abc",
    eval: |args, _| Ok(args[0].as_text().map_or(Value::Null, |text| Value::text(text.to_ascii_lowercase())))
}
