use super::prelude::*;

scalar! {
    /// The largest integer that is not greater than a number.
    "floor"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT floor(-1.2)" => "-2",
    eval: |args, _| {
        Ok(match &args[0] {
            Value::Null => Value::Null,
            Value::Int(number) => Value::Int(*number),
            other => Value::Int(other.as_real().unwrap_or(0.0).floor() as i64),
        })
    }
}
