use super::prelude::*;

scalar! {
    /// A value as a number for arithmetic: integers are unchanged, text becomes its leading number.
    "as_number"("x")
    1..=1 => Returns::By(numeric),
    Immutable,
    example "SELECT '5' + 3" => "8",
    simplify: simplify::as_number,
    eval: |args, _| Ok(args[0].as_number())
}
