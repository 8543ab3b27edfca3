use super::prelude::*;

scalar! {
    /// The text of the characters with the given code points.
    "char"("code, ...")
    0..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT char(72, 105)" => "Hi",
    eval: |args, _| {
        let one = |value: &Value<'_>| {
            let code = value.as_int().unwrap_or(0);
            u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        Ok(Value::text(args.iter().map(one).collect::<String>()))
    }
}
