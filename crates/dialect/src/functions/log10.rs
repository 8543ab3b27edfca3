use super::prelude::*;

scalar! {
    /// Logarithm to base 10. Returns NULL for NULL; zero and negative numbers are an error.
    "log10"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT log10(1000)" => "3.0",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        if number <= 0.0 {
            return Err("argument out of domain".into());
        }
        Ok(Value::Real(number.log10()))
    }
}
