use super::prelude::*;

scalar! {
    /// The storage class of a value: `null`, `integer`, `real`, `text` or `blob`.
    "typeof"("x")
    1..=1 => Returns::Text,
    Immutable,
    ["SELECT typeof(1.5)" => "real"],
    ["SELECT typeof('a')" => "text"],
    |args, _| Ok(Value::text(args[0].type_name()))
}
