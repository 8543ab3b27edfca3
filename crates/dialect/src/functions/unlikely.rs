use super::prelude::*;

scalar! {
    /// Returns its argument; a hint for SQLite's planner that is ignored.
    "unlikely"("x")
    1..=1 => Returns::By(widest),
    Immutable,
    example "SELECT unlikely(5)" => "5",
    eval: |args, _| Ok(args[0].clone())
}
