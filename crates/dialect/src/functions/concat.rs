use super::prelude::*;

scalar! {
    /// Joins its arguments as text and skips NULLs. Returns NULL without arguments, or if all are NULL.
    "concat"("x, ...")
    0..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT concat('a', NULL, 1)" => "a1",
    eval: |args, moment| {
        let parts: Vec<_> = args.iter().filter_map(Value::as_text).collect();
        moment.room.check_sum(parts.iter().map(|part| part.len()))?;
        Ok(if parts.is_empty() { Value::Null } else { Value::text(parts.concat()) })
    }
}
