use super::prelude::*;

scalar! {
    /// `json ->> path`: the value at a path, key or index, as an SQL value.
    "json_arrow_text"("json, path")
    2..=2 => Returns::Text,
    Immutable,
    example "SELECT '{\"a\":\"x\"}' ->> '$.a'" => "x",
    eval: |args, _| Ok(tree::arrow(args)?.map_or(Value::Null, document::Found::into_value))
}
