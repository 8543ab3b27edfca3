use super::prelude::*;

scalar! {
    /// A part of a text from a position (1 is the first character, a negative position counts from the end), optionally of a length.
    ///
    /// A negative length selects the characters before the position. Blobs are cut by bytes.
    "substr"("x, start [, length]") alias "substring";
    2..=3 => Returns::By(|types| if Class::of(&types[0]) == Class::Blob { DataType::Binary } else { DataType::Utf8View }),
    Immutable,
    example "SELECT substr('hello', 2, 3)" => "ell",
    example "SELECT substr('hello', -3)" => "llo",
    example "SELECT substr('hello', 0, 3)" => "he",
    eval: |args, _| {
        let Some(start) = args[1].as_int() else { return Ok(Value::Null) };
        let length = match args.get(2) {
            Some(length) => match length.as_int() {
                Some(length) => Some(length),
                None => return Ok(Value::Null),
            },
            None => None,
        };
        match &args[0] {
            Value::Null => Ok(Value::Null),
            Value::Blob(bytes) => {
                let (from, to) = text::window(bytes.len() as i64, start, length);
                Ok(Value::blob(&bytes[from..to]))
            }
            other => {
                let text = other.as_text().unwrap_or_default();
                let (from, to) = text::window(text.chars().count() as i64, start, length);
                Ok(Value::text(text.chars().skip(from).take(to - from).collect::<String>()))
            }
        }
    }
}
