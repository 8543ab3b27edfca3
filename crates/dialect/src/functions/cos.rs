use super::prelude::*;

scalar! {
    /// Cosine of an angle in radians. Returns NULL for NULL; an argument outside the domain is an error.
    "cos"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT cos(0)" => "1.0",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        Ok(Value::Real(number.cos()))
    }
}
