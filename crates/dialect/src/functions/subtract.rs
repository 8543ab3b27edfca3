use super::prelude::*;

scalar! {
    /// `x - y` on integers; an answer beyond 64 bits is an error.
    "subtract"("x, y")
    2..=2 => Returns::Int,
    Immutable,
    example "SELECT 2 - 3" => "-1",
    eval: |args, _| {
        let (Some(left), Some(right)) = (args[0].as_int(), args[1].as_int()) else { return Ok(Value::Null) };
        left.checked_sub(right).map(Value::Int).ok_or_else(|| format!("integer overflow in {left} - {right}: make one side a real"))
    }
}
