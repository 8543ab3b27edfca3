use super::prelude::*;

scalar! {
    /// Converts radians to degrees.
    "degrees"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT degrees(pi())" => "180.0",
    eval: |args, _| Ok(args[0].as_real().map_or(Value::Null, |number| Value::Real(number.to_degrees())))
}
