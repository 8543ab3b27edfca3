use super::prelude::*;

scalar! {
    /// e to the power of a number. Returns NULL for NULL; a result out of range is an error.
    "exp"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT exp(0)" => "1.0",
    eval: |args, _| {
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        let answer = number.exp();
        if answer.is_infinite() { Err("answer out of range".into()) } else { Ok(Value::Real(answer)) }
    }
}
