use super::prelude::*;

scalar! {
    /// `x / y`: two integers return an integer, truncated towards zero; NULL if the divisor is 0.
    "divide"("x, y")
    2..=2 => Returns::By(numeric),
    Immutable,
    example "SELECT 7 / 2" => "3",
    example "SELECT 1 / 0 IS NULL" => "1",
    example "SELECT 7 / 2.0" => "3.5",
    eval: |args, _| {
        Ok(match (args[0].as_number(), args[1].as_number()) {
            (Value::Null, _) | (_, Value::Null) => Value::Null,
            (Value::Int(left), Value::Int(right)) => match right {
                0 => Value::Null,
                _ => left.checked_div(right).map_or_else(|| Value::Real(-(left as f64)), Value::Int),
            },
            (left, right) => match (left.as_real(), right.as_real()) {
                (Some(left), Some(right)) if right != 0.0 => Value::Real(left / right),
                _ => Value::Null,
            },
        })
    }
}
