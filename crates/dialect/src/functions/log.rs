use super::prelude::*;

scalar! {
    /// Natural logarithm. Returns NULL for NULL; zero and negative numbers are an error.
    "log"("x") alias "ln";
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT log(1)" => "0.0",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        if number <= 0.0 {
            return Err("argument out of domain".into());
        }
        Ok(Value::Real(number.ln()))
    }
}
