use super::prelude::*;

scalar! {
    /// Arc sine, in radians. Returns NULL for NULL; an argument outside the domain is an error.
    "asin"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT asin(0)" => "0.0",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        if !(-1.0..=1.0).contains(&number) {
            return Err("argument out of domain".into());
        }
        Ok(Value::Real(number.asin()))
    }
}
