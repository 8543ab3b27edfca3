use super::prelude::*;

scalar! {
    /// Absolute value of a number.
    ///
    /// Text counts as its leading number. The smallest integer has no absolute value and is an error.
    "abs"("x")
    1..=1 => Returns::By(numeric),
    Immutable,
    example "SELECT abs(-5)" => "5",
    example "SELECT abs('-2.5')" => "2.5",
    eval: |args, _| match &args[0] {
        Value::Null => Ok(Value::Null),
        Value::Int(number) => number.checked_abs().map(Value::Int).ok_or_else(|| "integer overflow".into()),
        other => Ok(Value::Real(other.as_real().unwrap_or(0.0).abs())),
    }
}
