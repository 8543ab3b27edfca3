use super::prelude::*;

scalar! {
    /// The kind of a JSON value: `null`, `true`, `false`, `integer`, `real`, `text`, `array` or `object`.
    ///
    /// Text that is not JSON gives NULL, so that one bad row does not fail a query.
    "json_type"("json [, path]")
    1..=2 => Returns::Text,
    Immutable,
    example "SELECT json_type('[1]')" => "array",
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
        Ok(found.map_or(Value::Null, |found| Value::text(tree::type_name(found))))
    }
}
