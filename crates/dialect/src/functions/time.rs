use super::prelude::*;

scalar! {
    /// Time of day of a time value: `HH:MM:SS`.
    ///
    /// A time value is `'now'` (the default), a date, a time, both, or a Julian day number, followed by modifiers such as `'+1 day'`, `'start of month'`, `'weekday 0'`, `'unixepoch'`.
    "time"("moment, modifier, ...")
    0..=usize::MAX => Returns::Text,
    Stable,
    example "SELECT time('2024-01-01 12:34:56')" => "12:34:56",
    eval: |args, moment| {
        Ok(calendar::Moment::read(args, moment.now_micros).and_then(calendar::Moment::time_text).map_or(Value::Null, Value::text))
    }
}
