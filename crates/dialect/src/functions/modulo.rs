use super::prelude::*;

scalar! {
    /// `x % y`: the remainder of the integer division; NULL when the divisor is 0. With a real on either side the answer is a real.
    "modulo"("x, y")
    2..=2 => Returns::By(numeric),
    Immutable,
    example "SELECT 7 % 3" => "1",
    example "SELECT 7.5 % 3" => "1.0",
    eval: |args, _| {
        let (Some(left), Some(right)) = (args[0].as_int(), args[1].as_int()) else { return Ok(Value::Null) };
        Ok(if right == 0 { Value::Null } else { Value::Int(left.wrapping_rem(right)) })
    }
}
