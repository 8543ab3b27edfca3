use super::prelude::*;

scalar! {
    /// A value as an SQL literal.
    "quote"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT quote('it''s')" => "'it''s'",
    example "SELECT quote(NULL)" => "NULL",
    eval: |args, moment| {
        // Usually the text grows by two quotes only, and that is checked after it is built.
        moment.check(args[0].bytes())?;
        Ok(Value::text(match &args[0] {
            Value::Null => "NULL".to_owned(),
            Value::Text(text) => format!("'{}'", text.split('\0').next().unwrap_or_default().replace('\'', "''")),
            Value::Blob(bytes) => format!("X'{}'", hex::encode_upper(bytes)),
            number => number.as_text().unwrap_or_default().into_owned(),
        }))
    }
}
