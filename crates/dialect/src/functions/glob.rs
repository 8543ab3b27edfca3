use super::prelude::*;

scalar! {
    /// Whether a text matches a GLOB pattern: `*` any sequence, `?` one character, `[a-z]` and `[^a-z]` a set. Case matters.
    ///
    /// `x GLOB pattern` is the same as `glob(pattern, x)`.
    "glob"("pattern, x")
    2..=2 => Returns::Int,
    Immutable,
    example "SELECT glob('*.so', 'libc.so')" => "1",
    example "SELECT 'abc' GLOB 'A*'" => "0",
    simplify: simplify::strict,
    eval: |args, _| {
        let (Some(pattern), Some(text)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        Ok(Value::Int(i64::from(pattern::glob(&pattern, &text))))
    }
}
