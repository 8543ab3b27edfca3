use super::prelude::*;

scalar! {
    /// Text with all occurrences of one text replaced by another.
    "replace"("x, from, to")
    3..=3 => Returns::Text,
    Immutable,
    example "SELECT replace('aXbX', 'X', '-')" => "a-b-",
    eval: |args, moment| {
        let (Some(text), Some(from)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        if from.is_empty() {
            return Ok(Value::text(text));
        }
        let Some(to) = args[2].as_text() else { return Ok(Value::Null) };
        if to.len() > from.len() {
            let grown = text.matches(&*from).count().saturating_mul(to.len() - from.len());
            moment.check(grown.saturating_add(text.len()))?;
        }
        Ok(Value::text(text.replace(&*from, &to)))
    }
}
