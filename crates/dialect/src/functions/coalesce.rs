use super::prelude::*;

scalar! {
    /// The first argument that is not NULL.
    ///
    /// Arguments of different types return text.
    "coalesce"("x, y, ...")
    1..=usize::MAX => Returns::By(widest),
    Immutable,
    example "SELECT coalesce(NULL, 'a', 'b')" => "a",
    example "SELECT coalesce(1, 'a')" => "1",
    eval: |args, _| Ok(args.iter().find(|arg| !arg.is_null()).cloned().unwrap_or(Value::Null))
}
