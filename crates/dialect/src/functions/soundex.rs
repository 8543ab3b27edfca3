use super::prelude::*;

scalar! {
    /// The Soundex code of a word; `?000` if it has no letter.
    "soundex"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT soundex('Robert')" => "R163",
    eval: |args, _| Ok(Value::text(text::soundex(&args[0].as_text().unwrap_or_default())))
}
