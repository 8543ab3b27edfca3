use super::prelude::*;

scalar! {
    /// The number of characters of a text, or of bytes of a blob.
    "length"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT length('héllo')" => "5",
    example "SELECT length(12.5)" => "4",
    eval: |args, _| {
        Ok(match &args[0] {
            Value::Null => Value::Null,
            Value::Blob(bytes) => Value::Int(bytes.len() as i64),
            other => {
                let text = other.as_text().unwrap_or_default();
                Value::Int(text.chars().take_while(|&c| c != '\0').count() as i64)
            }
        })
    }
}
