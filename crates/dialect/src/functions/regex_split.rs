use super::prelude::*;

scalar! {
    /// One piece of a text split at every match of a regular expression. The first piece has index 0; empty pieces count.
    ///
    /// Returns NULL for a NULL argument or if there is no such piece.
    "regex_split"("x, regex, index")
    3..=3 => Returns::Text,
    Immutable,
    example "SELECT regex_split('a1b22c', '[0-9]+', 2)" => "c",
    eval: |args, _| {
        let (Some(text), Some(regex), Some(index)) = (args[0].as_text(), args[1].as_text(), args[2].as_int()) else {
            return Ok(Value::Null);
        };
        let Ok(index) = usize::try_from(index) else { return Ok(Value::Null) };
        Ok(regexes::compiled(&regex)?.piece(&text, index)?.map_or(Value::Null, Value::text))
    }
}
