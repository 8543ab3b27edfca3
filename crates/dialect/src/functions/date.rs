use super::prelude::*;

scalar! {
    /// Year, month and day of a time value: `YYYY-MM-DD`.
    ///
    /// A time value is `'now'` (the default), a date, a time, both, or a Julian day number, followed by modifiers such as `'+1 day'`, `'start of month'`, `'weekday 0'`, `'unixepoch'`.
    "date"("moment, modifier, ...")
    0..=usize::MAX => Returns::Text,
    Stable,
    example "SELECT date('2024-02-28', '+2 days')" => "2024-03-01",
    eval: |args, moment| {
        Ok(calendar::Moment::read(args, moment.now_micros).and_then(calendar::Moment::date_text).map_or(Value::Null, Value::text))
    }
}
