use super::prelude::*;

const BEYOND: f64 = 9_223_372_036_854_775_808.0;

scalar! {
    /// The integer that a real or the whole of a text is, else NULL: how such a value is compared with an integer column.
    "exact_integer"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT exact_integer('12')" => "12",
    example "SELECT exact_integer('12abc') IS NULL" => "1",
    eval: |args, _| {
        Ok(match args[0].clone().with_numeric_affinity() {
            Value::Int(number) => Value::Int(number),
            // The first double beyond all integers is 2^63.
            Value::Real(number) if number.fract() == 0.0 && (-BEYOND..BEYOND).contains(&number) => {
                Value::Int(number as i64)
            }
            _ => Value::Null,
        })
    }
}
