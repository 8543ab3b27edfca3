use super::prelude::*;

scalar! {
    /// The value at a path of a JSON text: strings without quotes, objects and arrays as JSON. Several paths return a JSON array.
    ///
    /// The result is text; it counts as a number when compared with one.
    ///
    /// Returns NULL for text that is not JSON, so one invalid row does not fail a query.
    "json_extract"("json, path, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_extract('{\"a\":[1,\"x\"]}', '$.a[1]')" => "x",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let mut found = Vec::new();
        for path in &args[1..] {
            let Some(path) = path.as_text() else { return Ok(Value::Null) };
            let Ok(one) = document::find(&text, &path::parse(&path)?) else { return Ok(Value::Null) };
            found.push(one);
        }
        if found.len() < 2 {
            return Ok(found.pop().flatten().map_or(Value::Null, document::Found::into_value));
        }
        let json = |found: Option<document::Found>| found.map_or_else(|| "null".to_owned(), document::Found::into_json);
        let all: Vec<String> = found.into_iter().map(json).collect();
        Ok(Value::text(format!("[{}]", all.join(","))))
    }
}
