use super::prelude::*;

scalar! {
    /// Text with its ASCII letters in uppercase.
    "upper"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT upper('abc')" => "ABC",
    example "SELECT upper('é')" => "é",
    eval: |args, _| Ok(args[0].as_text().map_or(Value::Null, |text| Value::text(text.to_ascii_uppercase())))
}
