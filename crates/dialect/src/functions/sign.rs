use super::prelude::*;

scalar! {
    /// -1, 0 or 1 for a negative, zero or positive number; NULL for a value that is not a number.
    "sign"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT sign(-2.5)" => "-1",
    eval: |args, _| {
        let number = match &args[0] {
            Value::Int(number) => *number as f64,
            Value::Real(number) => *number,
            Value::Text(text) => match exact_number(text).and_then(|number| number.as_real()) {
                Some(number) => number,
                None => return Ok(Value::Null),
            },
            _ => return Ok(Value::Null),
        };
        Ok(Value::Int(if number > 0.0 { 1 } else if number < 0.0 { -1 } else { 0 }))
    }
}
