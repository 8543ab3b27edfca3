use super::prelude::*;

scalar! {
    /// The first argument, or NULL if both are equal.
    "nullif"("x, y")
    2..=2 => Returns::By(|types| widest(&types[..1])),
    Immutable,
    example "SELECT nullif(5, 5) IS NULL" => "1",
    example "SELECT nullif('a', 'b')" => "a",
    eval: |args, _| {
        let equal = !args[0].is_null() && !args[1].is_null() && compare(&args[0], &args[1]).is_eq();
        Ok(if equal { Value::Null } else { args[0].clone() })
    }
}
