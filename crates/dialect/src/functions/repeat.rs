use super::prelude::*;

scalar! {
    /// A text repeated the given number of times; the empty text if that is less than one.
    "repeat"("x, times")
    2..=2 => Returns::Text,
    Immutable,
    example "SELECT repeat('ab', 3)" => "ababab",
    example "SELECT quote(repeat('ab', -1))" => "''",
    eval: |args, moment| {
        let (Some(text), Some(times)) = (args[0].as_text(), args[1].as_int()) else { return Ok(Value::Null) };
        let times = usize::try_from(times).unwrap_or(0);
        moment.check(text.len().saturating_mul(times))?;
        Ok(Value::text(text.repeat(times)))
    }
}
