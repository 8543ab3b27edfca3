use super::prelude::*;

scalar! {
    /// The first time value minus the second: `+YYYY-MM-DD HH:MM:SS.SSS`.
    "timediff"("later, earlier")
    2..=2 => Returns::Text,
    Stable,
    example "SELECT timediff('2024-03-01', '2024-02-28')" => "+0000-00-02 00:00:00.000",
    eval: |args, moment| {
        let read = |at: usize| calendar::Moment::read(&args[at..=at], moment.now_micros);
        let (Some(later), Some(earlier)) = (read(0), read(1)) else { return Ok(Value::Null) };
        Ok(calendar::difference(later, earlier).map_or(Value::Null, Value::text))
    }
}
