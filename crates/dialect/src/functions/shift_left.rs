use super::prelude::*;

scalar! {
    /// `x << y` on integers; a negative count shifts right, and a count of 64 or more shifts out all bits.
    "shift_left"("x, y")
    2..=2 => Returns::Int,
    Immutable,
    example "SELECT 1 << 4" => "16",
    eval: |args, _| {
        let (Some(number), Some(count)) = (args[0].as_int(), args[1].as_int()) else { return Ok(Value::Null) };
        Ok(Value::Int(text::shift(number, count)))
    }
}
