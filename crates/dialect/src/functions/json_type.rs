use super::prelude::*;

scalar! {
    /// The type of a JSON value: `null`, `true`, `false`, `integer`, `real`, `text`, `array` or `object`.
    ///
    /// Returns NULL for text that is not JSON, so one invalid row does not fail a query.
    "json_type"("json [, path]")
    1..=2 => Returns::Text,
    Immutable,
    example "SELECT json_type('[1]')" => "array",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let path = match args.get(1).map(Value::as_text) {
            Some(Some(path)) => path::parse(&path)?,
            Some(None) => return Ok(Value::Null),
            None => Vec::new(),
        };
        let found = document::look(&text, &path).unwrap_or_default();
        Ok(found.map_or(Value::Null, |found| Value::text(found.type_name())))
    }
}
