use super::prelude::*;

scalar! {
    /// Returns its first argument; the second is a hint for SQLite's planner and is ignored.
    "likelihood"("x, probability")
    2..=2 => Returns::By(|types| widest(&types[..1])),
    Immutable,
    example "SELECT likelihood(5, 0.5)" => "5",
    eval: |args, _| Ok(args[0].clone())
}
