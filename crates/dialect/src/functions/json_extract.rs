use super::prelude::*;

scalar! {
    /// What stands at a path of a JSON text: texts without quotes, objects and arrays as JSON. With several paths the answer is a JSON array.
    ///
    /// The answer has the type text; compared with a number it counts as one.
    ///
    /// Text that is not JSON gives NULL, so that one bad row does not fail a query.
    "json_extract"("json, path, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_extract('{\"a\":[1,\"x\"]}', '$.a[1]')" => "x",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let mut found = Vec::new();
        for path in &args[1..] {
            let Some(path) = path.as_text() else { return Ok(Value::Null) };
            let Ok(one) = document::find(&text, &tree::path(&path)?) else { return Ok(Value::Null) };
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
