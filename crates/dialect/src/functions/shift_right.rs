use super::prelude::*;

scalar! {
    /// `x >> y` on integers; a negative count shifts left, and a count of 64 or more shifts out all bits.
    "shift_right"("x, y")
    2..=2 => Returns::Int,
    Immutable,
    example "SELECT -16 >> 2" => "-4",
    eval: |args, _| {
        let (Some(number), Some(count)) = (args[0].as_int(), args[1].as_int()) else { return Ok(Value::Null) };
        Ok(Value::Int(text::shift(number, count.saturating_neg())))
    }
}
