use super::prelude::*;

scalar! {
    /// The number of elements of a JSON array; 0 for any other JSON value.
    ///
    /// Returns NULL for text that is not JSON, so one invalid row does not fail a query.
    "json_array_length"("json [, path]")
    1..=2 => Returns::Int,
    Immutable,
    example "SELECT json_array_length('[1,2,3]')" => "3",
    example "SELECT json_array_length('{\"a\":[1]}', '$.a')" => "1",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let path = match args.get(1).map(Value::as_text) {
            Some(Some(path)) => path::parse(&path)?,
            Some(None) => return Ok(Value::Null),
            None => Vec::new(),
        };
        let found = document::look(&text, &path).unwrap_or_default();
        Ok(found.map_or(Value::Null, |found| match found {
            document::Found::Nested { is_array: true, length, .. } => Value::Int(length as i64),
            _ => Value::Int(0),
        }))
    }
}
