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
        let Ok(json) = tree::parse(&text) else { return Ok(Value::Null) };
        let mut found = Vec::new();
        for path in &args[1..] {
            let Some(path) = path.as_text() else { return Ok(Value::Null) };
            found.push(tree::find(&json, &tree::path(&path)?));
        }
        Ok(match found.as_slice() {
            [] => Value::Null,
            [one] => one.map_or(Value::Null, tree::to_value),
            many => {
                let all = many.iter().map(|found| found.cloned().unwrap_or(tree::Json::Null)).collect();
                Value::text(tree::Json::Array(all).to_string())
            }
        })
    }
}
