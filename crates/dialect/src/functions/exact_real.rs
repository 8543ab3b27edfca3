use super::prelude::*;

scalar! {
    /// The number that an entire text stands for, otherwise NULL. Comparisons of text with real columns use it.
    "exact_real"("x")
    1..=1 => Returns::Real,
    Immutable,
    example "SELECT exact_real('1.5')" => "1.5",
    eval: |args, _| {
        Ok(match args[0].clone().with_numeric_affinity() {
            // Beyond 2^53, several integers share one double.
            Value::Int(number) if (number as f64) as i128 == i128::from(number) => Value::Real(number as f64),
            Value::Real(number) => Value::Real(number),
            _ => Value::Null,
        })
    }
}
