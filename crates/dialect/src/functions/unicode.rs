use super::prelude::*;

scalar! {
    /// The code point of the first character of a text.
    "unicode"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT unicode('A')" => "65",
    eval: |args, _| {
        Ok(args[0].as_text().and_then(|text| text.chars().next()).map_or(Value::Null, |c| Value::Int(i64::from(u32::from(c)))))
    }
}
