use super::prelude::*;

scalar! {
    /// Whether a text is JSON.
    "json_valid"("x [, flags]")
    1..=2 => Returns::Int,
    Immutable,
    example "SELECT json_valid('{\"a\":1}')" => "1",
    example "SELECT json_valid('{a')" => "0",
    eval: |args, _| Ok(args[0].as_text().map_or(Value::Null, |text| Value::Int(i64::from(document::check(&text).is_ok()))))
}
