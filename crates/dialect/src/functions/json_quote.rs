use super::prelude::*;

scalar! {
    /// A number or text as JSON.
    "json_quote"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT json_quote('a')" => "\"a\"",
    eval: |args, _| Ok(Value::text(tree::from_value(&args[0]).to_string()))
}
