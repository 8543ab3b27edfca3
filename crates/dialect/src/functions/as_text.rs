use super::prelude::*;

scalar! {
    /// A value as text, like `CAST(x AS TEXT)`.
    "as_text"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT CAST(8.0 AS TEXT)" => "8.0",
    simplify: simplify::as_text,
    eval: |args, _| Ok(args[0].as_text().map_or(Value::Null, |text| Value::text(text)))
}
