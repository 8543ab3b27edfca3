use super::prelude::*;

scalar! {
    /// Converts degrees to radians.
    "radians"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT round(radians(180), 4)" => "3.1416",
    eval: |args, _| Ok(args[0].as_real().map_or(Value::Null, |number| Value::Real(number.to_radians())))
}
