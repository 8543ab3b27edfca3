use super::prelude::*;

scalar! {
    /// A random 64-bit integer, a new one for each row.
    "random"("")
    0..=0 => Returns::Int,
    Volatile,
    example "SELECT typeof(random())" => "integer",
    eval: |_, _| Ok(Value::Int(text::random_int()))
}
