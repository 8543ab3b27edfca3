use super::prelude::*;

scalar! {
    /// A time value as `YYYY-MM-DD HH:MM:SS`.
    ///
    /// A time value is `'now'` (the default), a date, a time, both, or a Julian day number, followed by modifiers such as `'+1 day'`, `'start of month'`, `'weekday 0'`, `'unixepoch'`.
    "datetime"("moment, modifier, ...")
    0..=usize::MAX => Returns::Text,
    Stable,
    example "SELECT datetime(0, 'unixepoch')" => "1970-01-01 00:00:00",
    eval: |args, moment| {
        let moment = calendar::Moment::read(args, moment.now_micros);
        let text = moment.and_then(|moment| Some(format!("{} {}", moment.date_text()?, moment.time_text()?)));
        Ok(text.map_or(Value::Null, Value::text))
    }
}
