use super::prelude::*;

scalar! {
    /// A number rounded to the given number of decimal places (default 0), halves away from zero. The result is a real.
    "round"("x [, places]")
    1..=2 => Returns::Real,
    Immutable,
    example "SELECT round(2.567, 2)" => "2.57",
    example "SELECT round(2.5)" => "3.0",
    eval: |args, _| {
        let places = match args.get(1) {
            Some(places) => match places.as_int() {
                Some(places) => places.clamp(0, 30) as usize,
                None => return Ok(Value::Null),
            },
            None => 0,
        };
        let Some(number) = args[0].as_real() else { return Ok(Value::Null) };
        Ok(Value::Real(text::round(number, places)))
    }
}
