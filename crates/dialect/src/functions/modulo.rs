use super::prelude::*;

scalar! {
    /// `x % y`: the remainder of the integer division; NULL if the divisor is 0. The result is a real if either side is a real.
    "modulo"("x, y")
    2..=2 => Returns::By(numeric),
    Immutable,
    example "SELECT 7 % 3" => "1",
    example "SELECT 7.5 % 3" => "1.0",
    eval: |args, _| {
        let (left, right) = (args[0].as_number(), args[1].as_number());
        let whole = matches!((&left, &right), (Value::Int(_), Value::Int(_)));
        let (Some(left), Some(right)) = (left.as_int(), right.as_int()) else { return Ok(Value::Null) };
        Ok(match left.checked_rem(right).unwrap_or(0) {
            _ if right == 0 => Value::Null,
            rest if whole => Value::Int(rest),
            rest => Value::Real(rest as f64),
        })
    }
}
