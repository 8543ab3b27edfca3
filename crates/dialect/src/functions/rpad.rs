use super::prelude::*;

scalar! {
    /// A text padded on the right to a number of characters, with spaces or the given text; a longer text is truncated.
    "rpad"("x, length [, filling]")
    2..=3 => Returns::Text,
    Immutable,
    example "SELECT rpad('7', 3, '0')" => "700",
    example "SELECT rpad('hello', 2)" => "he",
    eval: |args, moment| Ok(match text::padding(args, moment)? {
        None => Value::Null,
        Some((kept, filling)) => Value::text(format!("{kept}{filling}")),
    })
}
