use super::prelude::*;

scalar! {
    /// A number among texts, as in `CASE WHEN a THEN 'x' ELSE 1 END`: its type is text, and it still compares as the number that it was.
    "mixed_text"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT CASE WHEN 0 THEN 'x' ELSE 8.0 END" => "8.0",
    simplify: simplify::as_text,
    eval: |args, _| Ok(args[0].as_text().map_or(Value::Null, |text| Value::text(text)))
}
