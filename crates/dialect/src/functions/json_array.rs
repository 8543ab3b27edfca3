use super::prelude::*;

scalar! {
    /// A JSON array of its arguments.
    "json_array"("x, ...")
    0..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_array(1, 'a', NULL)" => "[1,\"a\",null]",
    eval: |args, moment| {
        moment.room.check_sum(args.iter().map(Value::bytes))?;
        let elements: Vec<String> = args.iter().map(tree::text_of).collect();
        Ok(Value::text(format!("[{}]", elements.join(","))))
    }
}
