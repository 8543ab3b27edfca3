use super::prelude::*;

scalar! {
    /// Square root. Returns NULL for NULL; an argument outside the domain is an error.
    "sqrt"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT sqrt(16)" => "4.0",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        if number < 0.0 {
            return Err("argument out of domain".into());
        }
        Ok(Value::Real(number.sqrt()))
    }
}
