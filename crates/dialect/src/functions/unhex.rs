use super::prelude::*;

scalar! {
    /// The bytes that hexadecimal digits encode; NULL if the text contains anything but digits and the ignored characters.
    "unhex"("x [, ignored]")
    1..=2 => Returns::Blob,
    Immutable,
    example "SELECT quote(unhex('4142'))" => "X'4142'",
    example "SELECT hex(unhex('41-42', '-'))" => "4142",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let ignored = match args.get(1) {
            Some(ignored) => match ignored.as_text() {
                Some(ignored) => ignored,
                None => return Ok(Value::Null),
            },
            None => Cow::Borrowed(""),
        };
        let mut bytes = Vec::new();
        let mut chars = text.chars();
        while let Some(first) = chars.next() {
            let Some(high) = first.to_digit(16) else {
                if ignored.contains(first) {
                    continue;
                }
                return Ok(Value::Null);
            };
            let Some(low) = chars.next().and_then(|second| second.to_digit(16)) else { return Ok(Value::Null) };
            bytes.push((high * 16 + low) as u8);
        }
        Ok(Value::blob(bytes))
    }
}
