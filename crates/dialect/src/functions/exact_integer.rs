use super::prelude::*;

scalar! {
    /// The integer that the whole of a text is, else NULL: how a text is compared with an integer column.
    "exact_integer"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT exact_integer('12')" => "12",
    example "SELECT exact_integer('12abc') IS NULL" => "1",
    eval: |args, _| {
        Ok(match args[0].clone().with_numeric_affinity() {
            Value::Int(number) => Value::Int(number),
            Value::Real(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => Value::Int(number as i64),
            _ => Value::Null,
        })
    }
}
