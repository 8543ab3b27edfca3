use super::prelude::*;

scalar! {
    /// Text with every occurrence of one text replaced by another.
    "replace"("x, from, to")
    3..=3 => Returns::Text,
    Immutable,
    example "SELECT replace('aXbX', 'X', '-')" => "a-b-",
    eval: |args, _| {
        let (Some(text), Some(from)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        if from.is_empty() {
            return Ok(Value::text(text));
        }
        let Some(to) = args[2].as_text() else { return Ok(Value::Null) };
        Ok(Value::text(text.replace(&*from, &to)))
    }
}
