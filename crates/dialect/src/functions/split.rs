use super::prelude::*;

scalar! {
    /// One piece of a text split at any of the given characters: empty pieces are dropped, and the others are trimmed. The first piece has index 0.
    ///
    /// Returns NULL for a NULL argument or if there is no such piece; an empty list of characters is an error.
    "split"("x, characters, index")
    3..=3 => Returns::Text,
    Immutable,
    example "SELECT split('a,b;c', ',;', 1)" => "b",
    example "SELECT split('a', ',', 5) IS NULL" => "1",
    eval: |args, _| {
        let (Some(text), Some(cuts), Some(index)) = (args[0].as_text(), args[1].as_text(), args[2].as_int()) else {
            return Ok(Value::Null);
        };
        if cuts.is_empty() {
            return Err("no characters to split at".into());
        }
        let mut pieces = text.split(|c| cuts.contains(c)).filter(|piece| !piece.is_empty()).map(str::trim);
        let piece = usize::try_from(index).ok().and_then(|index| pieces.nth(index));
        Ok(piece.map_or(Value::Null, Value::text))
    }
}
