use super::prelude::*;

scalar! {
    /// Tangent of an angle in radians. Returns NULL for NULL; an argument outside the domain is an error.
    "tan"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT tan(0)" => "0.0",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        Ok(Value::Real(number.tan()))
    }
}
