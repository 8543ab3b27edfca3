use super::prelude::*;

scalar! {
    /// The text of a capture group in the first match of a regular expression; group 0 is the complete match.
    ///
    /// Returns NULL for a NULL argument, without a match or if there is no such group; a group that took no part in the match returns the empty text.
    "regex_match"("x, regex, group")
    3..=3 => Returns::Text,
    Immutable,
    example "SELECT regex_match('pid=42;', 'pid=([0-9]+)', 1)" => "42",
    example "SELECT regex_match('abc', 'x', 0) IS NULL" => "1",
    eval: |args, _| {
        let (Some(text), Some(regex), Some(group)) = (args[0].as_text(), args[1].as_text(), args[2].as_int()) else {
            return Ok(Value::Null);
        };
        let Ok(group) = usize::try_from(group) else { return Ok(Value::Null) };
        Ok(regexes::compiled(&regex)?.group(&text, group)?.map_or(Value::Null, Value::text))
    }
}
