use super::prelude::*;

scalar! {
    /// A number to the power of another. Returns NULL for NULL; arguments without a result are an error.
    "power"("x, y") alias "pow";
    2..=2 => Returns::Real,
    Immutable,
    example "SELECT power(2, 10)" => "1024.0",
    eval: |args, _| {
        let (Some(base), Some(exponent)) = (args[0].as_real(), args[1].as_real()) else { return Ok(Value::Null) };
        let answer = base.powf(exponent);
        if answer.is_nan() || answer.is_infinite() {
            return Err("argument out of domain or range".into());
        }
        Ok(Value::Real(answer))
    }
}
