use super::prelude::*;

scalar! {
    /// Cotangent of an angle in radians; 0 is an error.
    "cot"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT round(cot(1), 3)" => "0.642",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        let tangent = number.tan();
        if tangent == 0.0 { Err("argument out of domain".into()) } else { Ok(Value::Real(1.0 / tangent)) }
    }
}
