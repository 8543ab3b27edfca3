use super::prelude::*;

scalar! {
    /// Gives its argument back: a planner's hint that is not used.
    "unlikely"("x")
    1..=1 => Returns::By(widest),
    Immutable,
    ["SELECT unlikely(5)" => "5"],
    |args, _| Ok(args[0].clone())
}
