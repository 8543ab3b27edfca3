use super::prelude::*;

scalar! {
    /// A time value as days since noon on November 24, 4714 BC.
    ///
    /// A time value is `'now'` (the default), a date, a time, both, or a Julian day number, followed by modifiers such as `'+1 day'`, `'start of month'`, `'weekday 0'`, `'unixepoch'`.
    "julianday"("moment, modifier, ...")
    0..=usize::MAX => Returns::Real,
    Stable,
    example "SELECT julianday('2000-01-01 12:00')" => "2451545.0",
    eval: |args, moment| {
        Ok(calendar::Moment::read(args, moment.now_micros).map_or(Value::Null, |moment| Value::Real(moment.julian_day())))
    }
}
