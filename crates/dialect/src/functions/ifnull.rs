use super::prelude::*;

scalar! {
    /// The first argument, or the second if the first is NULL.
    "ifnull"("x, y")
    2..=2 => Returns::By(widest),
    Immutable,
    example "SELECT ifnull(NULL, 7)" => "7",
    eval: |args, _| Ok(if args[0].is_null() { args[1].clone() } else { args[0].clone() })
}
