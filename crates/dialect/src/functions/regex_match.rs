use super::prelude::*;

scalar! {
    /// What a capture group of the first match of a regular expression holds; group 0 is the whole match.
    ///
    /// NULL for a NULL argument, without a match or without such a group; a group that took no part gives the empty text.
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
