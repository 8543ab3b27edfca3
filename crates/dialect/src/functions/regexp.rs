use super::prelude::*;

scalar! {
    /// Whether a regular expression matches anywhere in a text; `x REGEXP y` is `regexp(y, x)`.
    "regexp"("regex, x")
    2..=2 => Returns::Int,
    Immutable,
    example "SELECT 'abc' REGEXP 'b.'" => "1",
    eval: |args, _| {
        let (Some(regex), Some(text)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        Ok(Value::Int(i64::from(regexes::compiled(&regex)?.is_match(&text)?)))
    }
}
