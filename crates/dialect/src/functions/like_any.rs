use super::prelude::*;

scalar! {
    /// Whether a text matches one of several LIKE patterns; a chain of `x LIKE p` over one expression becomes this function.
    "like_any"("x, pattern, ...")
    2..=usize::MAX => Returns::Bool,
    Immutable,
    example "SELECT like_any('abc', 'x%', 'A%') IS TRUE" => "1",
    eval: |args, _| {
        let Some(text) = args[0].as_text() else { return Ok(Value::Null) };
        let mut unknown = false;
        for pattern in &args[1..] {
            match pattern.as_text() {
                Some(pattern) if pattern::like(&pattern, &text, None) => return Ok(Value::Int(1)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { Value::Null } else { Value::Int(0) })
    }
}
