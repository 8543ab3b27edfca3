use super::prelude::*;

scalar! {
    /// Whether a value counts as true: a number other than 0, or text that starts with one.
    "truth"("x")
    1..=1 => Returns::Bool,
    Immutable,
    example "SELECT 'yes' AND 1" => "0",
    example "SELECT '1abc' AND 1" => "1",
    simplify: simplify::truth,
    eval: |args, _| Ok(args[0].truth().map_or(Value::Null, |truth| Value::Int(i64::from(truth))))
}
