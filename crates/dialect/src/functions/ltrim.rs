use super::prelude::*;

scalar! {
    /// Removes spaces, or any of the given characters, from the start of a text.
    "ltrim"("x [, characters]")
    1..=2 => Returns::Text,
    Immutable,
    example "SELECT ltrim('xxa', 'x')" => "a",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let Some(characters) = args.get(1) else { return Ok(Value::text(text.trim_start_matches(' '))) };
        let Some(characters) = characters.as_text() else { return Ok(Value::Null) };
        Ok(Value::text(text.trim_start_matches(|c| characters.contains(c))))
    }
}
