use super::prelude::*;

scalar! {
    /// Joins its arguments as text with a separator between them and skips NULLs. A NULL separator is the empty text.
    ///
    /// As in osquery, a trailing NULL leaves a trailing separator.
    "concat_ws"("separator, x, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT concat_ws(',', 'a', NULL, 'b')" => "a,b",
    example "SELECT concat_ws('-', 1, 2)" => "1-2",
    eval: |args, moment| {
        let separator = args[0].as_text().unwrap_or_default();
        let mut joined = String::new();
        let last = args.len() - 1;
        for (at, arg) in args.iter().enumerate().skip(1) {
            let Some(text) = arg.as_text() else { continue };
            moment.room.check_sum([joined.len(), text.len(), separator.len()])?;
            joined.push_str(&text);
            if at < last {
                joined.push_str(&separator);
            }
        }
        Ok(Value::text(joined))
    }
}
