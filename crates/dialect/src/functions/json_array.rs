use super::prelude::*;

scalar! {
    /// A JSON array of its arguments.
    "json_array"("x, ...")
    0..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_array(1, 'a', NULL)" => "[1,\"a\",null]",
    eval: |args, moment| {
        moment.room.check_sum(args.iter().map(Value::bytes))?;
        Ok(Value::text(tree::Json::Array(args.iter().map(tree::from_value).collect()).to_string()))
    }
}
