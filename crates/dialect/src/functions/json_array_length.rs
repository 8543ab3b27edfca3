use super::prelude::*;

scalar! {
    /// How many elements a JSON array has, 0 for anything else.
    ///
    /// Text that is not JSON gives NULL, so that one bad row does not fail a query.
    "json_array_length"("json [, path]")
    1..=2 => Returns::Int,
    Immutable,
    example "SELECT json_array_length('[1,2,3]')" => "3",
    example "SELECT json_array_length('{\"a\":[1]}', '$.a')" => "1",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let Ok(json) = tree::parse(&text) else { return Ok(Value::Null) };
        let found = match args.get(1) {
            Some(path) => match path.as_text() {
                Some(path) => tree::find(&json, &tree::path(&path)?),
                None => return Ok(Value::Null),
            },
            None => Some(&json),
        };
        Ok(found.map_or(Value::Null, |found| Value::Int(found.as_array().map_or(0, |array| array.len() as i64))))
    }
}
