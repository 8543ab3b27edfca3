use super::prelude::*;

scalar! {
    /// Formats its arguments by a pattern, like printf in C.
    ///
    /// Conversions: `%d %i %u %f %e %E %g %G %x %X %o %c %s %z %%`, and `%q %Q %w`, which quote text for SQL. Flags: `- + space 0 # , !`. Width and precision may be `*`.
    "printf"("format, ...") alias "format";
    0..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT printf('%05d|%-5s|%.2f', 42, 'ab', 3.14159)" => "00042|ab   |3.14",
    example "SELECT format('%,d', 1234567)" => "1,234,567",
    eval: |args, moment| {
        let Some(format) = args.first().and_then(Value::as_text) else { return Ok(Value::Null) };
        Ok(Value::text(text::printf(&format, &args[1..], &moment.room)?))
    }
}
