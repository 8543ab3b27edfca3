use super::prelude::*;

scalar! {
    /// Gives its first argument back; the second is a planner's hint and is not used.
    "likelihood"("x, probability")
    2..=2 => Returns::By(|types| widest(&types[..1])),
    Immutable,
    example "SELECT likelihood(5, 0.5)" => "5",
    eval: |args, _| Ok(args[0].clone())
}
