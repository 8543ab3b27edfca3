use super::prelude::*;

scalar! {
    /// The storage class of a value: `null`, `integer`, `real`, `text` or `blob`.
    "typeof"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT typeof(1.5)" => "real",
    example "SELECT typeof('a')" => "text",
    eval: |args, _| Ok(Value::text(args[0].type_name()))
}
