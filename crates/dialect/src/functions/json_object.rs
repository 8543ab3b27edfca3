use super::prelude::*;

scalar! {
    /// A JSON object of names and values in turn.
    "json_object"("name, value, ...")
    0..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_object('a', 1, 'b', 'x')" => "{\"a\":1,\"b\":\"x\"}",
    eval: |args, moment| {
        moment.room.check_sum(args.iter().map(Value::bytes))?;
        if !args.len().is_multiple_of(2) {
            return Err("json_object() requires an even number of arguments".to_owned());
        }
        let mut object = tree::Map::new();
        for pair in args.chunks(2) {
            let Value::Text(name) = &pair[0] else { return Err("json_object() labels must be TEXT".to_owned()) };
            object.insert(name.to_string(), tree::from_value(&pair[1]));
        }
        Ok(Value::text(tree::Json::Object(object).to_string()))
    }
}
