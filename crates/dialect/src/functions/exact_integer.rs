use super::prelude::*;

const BEYOND: f64 = 9_223_372_036_854_775_808.0;

scalar! {
    /// The integer that a real or an entire text stands for, otherwise NULL. Comparisons with integer columns use it.
    "exact_integer"("x")
    1..=1 => Returns::Int,
    Immutable,
    example "SELECT exact_integer('12')" => "12",
    example "SELECT exact_integer('12abc') IS NULL" => "1",
    eval: |args, _| {
        Ok(match args[0].clone().with_numeric_affinity() {
            Value::Int(number) => Value::Int(number),
            // 2^63 is the smallest double above all 64-bit integers.
            Value::Real(number) if number.fract() == 0.0 && (-BEYOND..BEYOND).contains(&number) => {
                Value::Int(number as i64)
            }
            _ => Value::Null,
        })
    }
}
