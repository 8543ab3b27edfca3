use super::prelude::*;

scalar! {
    /// The number pi.
    "pi"("")
    0..=0 => Returns::Real,
    Immutable,
    example "SELECT round(pi(), 5)" => "3.14159",
    eval: |_, _| Ok(Value::Real(std::f64::consts::PI))
}
