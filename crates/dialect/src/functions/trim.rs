use super::prelude::*;

scalar! {
    /// Removes spaces, or any of the given characters, from both ends of a text.
    "trim"("x [, characters]")
    1..=2 => Returns::Text,
    Immutable,
    example "SELECT trim('  a ')" => "a",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let Some(characters) = args.get(1) else { return Ok(Value::text(text.trim_matches(' '))) };
        let Some(characters) = characters.as_text() else { return Ok(Value::Null) };
        Ok(Value::text(text.trim_matches(|c| characters.contains(c))))
    }
}
