use super::prelude::*;

scalar! {
    /// `json -> path`: the value at a path, key or index, as JSON text.
    "json_arrow"("json, path")
    2..=2 => Returns::Text,
    Immutable,
    example "SELECT '{\"a\":\"x\"}' -> 'a'" => "\"x\"",
    eval: |args, _| Ok(tree::arrow(args)?.map_or(Value::Null, |found| Value::text(found.into_json())))
}
