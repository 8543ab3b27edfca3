use super::prelude::*;

scalar! {
    /// `x * y` on numbers; text counts as its leading number. An integer result beyond 64 bits is an error.
    "multiply"("x, y")
    2..=2 => Returns::By(numeric),
    Immutable,
    example "SELECT 2 * 3" => "6",
    eval: |args, _| Ok(text::arithmetic(&args[0], &args[1], i64::checked_mul, |left, right| left * right))
}
