use super::prelude::*;

scalar! {
    /// Whether a text matches a LIKE pattern: `%` any sequence, `_` one character. ASCII letters match in either case.
    ///
    /// `x LIKE pattern ESCAPE e` is the same as `like(pattern, x, e)`.
    "like"("pattern, x [, escape]")
    2..=3 => Returns::Int,
    Immutable,
    example "SELECT like('A%', 'abc')" => "1",
    example "SELECT like('10!%', '10%', '!')" => "1",
    simplify: simplify::strict,
    eval: |args, _| {
        let (Some(pattern), Some(text)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        let escape = match args.get(2) {
            None => None,
            Some(escape) => {
                let Some(escape) = escape.as_text() else { return Ok(Value::Null) };
                let mut chars = escape.chars();
                match (chars.next(), chars.next()) {
                    (Some(escape), None) => Some(escape),
                    _ => return Err("ESCAPE expression must be a single character".into()),
                }
            }
        };
        Ok(Value::Int(i64::from(pattern::like(&pattern, &text, escape))))
    }
}
