use super::prelude::*;

scalar! {
    /// A JSON object of alternating names and values.
    "json_object"("name, value, ...")
    0..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_object('a', 1, 'b', 'x')" => "{\"a\":1,\"b\":\"x\"}",
    eval: |args, moment| {
        moment.room.check_sum(args.iter().map(Value::bytes))?;
        if !args.len().is_multiple_of(2) {
            return Err("json_object() requires an even number of arguments".into());
        }
        let mut members = Vec::with_capacity(args.len() / 2);
        for pair in args.chunks(2) {
            let Value::Text(name) = &pair[0] else { return Err("json_object() labels must be TEXT".into()) };
            members.push(format!("{}:{}", tree::Json::from(name.as_ref()), tree::text_of(&pair[1])));
        }
        Ok(Value::text(format!("{{{}}}", members.join(","))))
    }
}
