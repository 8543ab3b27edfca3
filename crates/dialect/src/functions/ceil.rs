use super::prelude::*;

scalar! {
    /// The smallest integer that is not less than a number.
    "ceil"("x") alias "ceiling";
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT ceil(1.2)" => "2",
    eval: |args, _| {
        Ok(match &args[0] {
            Value::Null => Value::Null,
            Value::Int(number) => Value::Int(*number),
            other => Value::Int(other.as_real().unwrap_or(0.0).ceil() as i64),
        })
    }
}
