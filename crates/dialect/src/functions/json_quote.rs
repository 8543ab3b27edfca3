use super::prelude::*;

scalar! {
    /// A number or text as JSON.
    "json_quote"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT json_quote('a')" => "\"a\"",
    eval: |args, _| Ok(Value::text(tree::text_of(&args[0])))
}
