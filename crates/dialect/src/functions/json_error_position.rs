use super::prelude::*;

scalar! {
    /// The position (from 1) of the first error in a JSON text; 0 if there is none.
    "json_error_position"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT json_error_position('[1]')" => "0",
    eval: |args, _| Ok(args[0].as_text().map_or(Value::Null, |text| Value::Int(tree::error_position(&text))))
}
