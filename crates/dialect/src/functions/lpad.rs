use super::prelude::*;

scalar! {
    /// A text padded on the left to a number of characters, with spaces or the given text; a longer text is truncated.
    "lpad"("x, length [, filling]")
    2..=3 => Returns::Text,
    Immutable,
    example "SELECT lpad('7', 3, '0')" => "007",
    example "SELECT lpad('hello', 2)" => "he",
    eval: |args, moment| Ok(match text::padding(args, moment)? {
        None => Value::Null,
        Some((kept, filling)) => Value::text(format!("{filling}{kept}")),
    })
}
