use super::prelude::*;

scalar! {
    /// A value that compares by the named collation: `x COLLATE NOCASE`.
    "collate"("x, collation")
    2..=2 => Returns::By(|types| widest(&types[..1])),
    Immutable,
    example "SELECT 'ABC' COLLATE NOCASE = 'abc'" => "1",
    eval: |args, _| Ok(args[0].clone())
}
