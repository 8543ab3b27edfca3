use super::prelude::*;

scalar! {
    /// A value as a number, as arithmetic takes it: integers stay, text is the number it starts with.
    "as_number"("x")
    1..=1 => Returns::By(numeric),
    Immutable,
    example "SELECT '5' + 3" => "8",
    simplify: plan::simplify_as_number,
    eval: |args, _| Ok(args[0].as_number())
}
