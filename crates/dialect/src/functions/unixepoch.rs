use super::prelude::*;

scalar! {
    /// A time value as seconds since 1970.
    ///
    /// A time value is `'now'` (the default), a date, a time, both, or a Julian day number, followed by modifiers such as `'+1 day'`, `'start of month'`, `'weekday 0'`, `'unixepoch'`.
    "unixepoch"("moment, modifier, ...")
    0..=usize::MAX => Returns::Int,
    Stable,
    example "SELECT unixepoch('1970-01-02')" => "86400",
    eval: |args, moment| {
        Ok(calendar::Moment::read(args, moment.now_micros).map_or(Value::Null, |moment| Value::Int(moment.unix_seconds())))
    }
}
