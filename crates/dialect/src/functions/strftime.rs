use super::prelude::*;

scalar! {
    /// A time value in the given format: `%Y %m %d %H %M %S %f %j %J %s %w %W %%` and more.
    ///
    /// The result is text; in arithmetic and in comparisons with numbers it counts as a number.
    "strftime"("format, moment, modifier, ...")
    1..=usize::MAX => Returns::Text,
    Stable,
    example "SELECT strftime('%s', '1970-01-01 00:01:00')" => "60",
    example "SELECT strftime('%Y/%m', '2024-05-06')" => "2024/05",
    eval: |args, moment| {
        let Some(format) = args[0].as_text() else { return Ok(Value::Null) };
        let Some(moment) = calendar::Moment::read(&args[1..], moment.now_micros) else { return Ok(Value::Null) };
        Ok(moment.format(&format).map_or(Value::Null, Value::text))
    }
}
