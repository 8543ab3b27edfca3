use super::prelude::*;

scalar! {
    /// A JSON text without the values at the paths.
    "json_remove"("json, path, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_remove('{\"a\":1,\"b\":2}', '$.a')" => "{\"b\":2}",
    eval: |args, moment| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let mut json = tree::parse(&text, &moment.room)?;
        for path in &args[1..] {
            let Some(path) = path.as_text() else { return Ok(Value::Null) };
            let path = path::parse(&path)?;
            if path.is_empty() {
                return Ok(Value::Null);
            }
            tree::remove(&mut json, &path);
        }
        Ok(Value::text(json.to_string()))
    }
}
