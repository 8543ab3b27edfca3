use super::prelude::*;

scalar! {
    /// A JSON text merged with another by RFC 7396: null removes a member.
    "json_patch"("json, patch")
    2..=2 => Returns::Text,
    Immutable,
    example "SELECT json_patch('{\"a\":1}', '{\"a\":null,\"b\":2}')" => "{\"b\":2}",
    eval: |args, moment| {
        let (Some(text), Some(patch)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        let mut json = tree::parse(&text, &moment.room)?;
        tree::merge(&mut json, &tree::parse(&patch, &moment.room)?);
        Ok(Value::text(json.to_string()))
    }
}
