use super::prelude::*;

scalar! {
    /// A value as a real, like `CAST(x AS REAL)`: text becomes its leading number.
    "as_real"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT CAST('2.5x' AS REAL)" => "2.5",
    eval: |args, _| Ok(args[0].as_real().map_or(Value::Null, Value::Real))
}
