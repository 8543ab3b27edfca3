use super::prelude::*;

scalar! {
    /// The second argument if the first is true, otherwise the third.
    "iif"("condition, x [, y]") alias "if";
    2..=3 => Returns::By(|types| widest(&types[1..])),
    Immutable,
    example "SELECT iif(1 > 2, 'yes', 'no')" => "no",
    example "SELECT iif(1, 'yes', 'no')" => "yes",
    eval: |args, _| {
        let chosen = if args[0].truth() == Some(true) { args.get(1) } else { args.get(2) };
        Ok(chosen.cloned().unwrap_or(Value::Null))
    }
}
