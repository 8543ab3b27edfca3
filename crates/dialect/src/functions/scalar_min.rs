use super::prelude::*;

scalar! {
    /// The least of its arguments; NULL if any is NULL. Numbers sort before text.
    ///
    /// Written `min(x, y, ...)` with two or more arguments; with one argument, `min` is the aggregate.
    "scalar_min"("x, y, ...")
    2..=usize::MAX => Returns::By(widest),
    Immutable,
    example "SELECT min(3, 1, 2)" => "1",
    example "SELECT min(5, NULL) IS NULL" => "1",
    eval: |args, _| {
        let mut best = &args[0];
        for arg in args {
            if arg.is_null() {
                return Ok(Value::Null);
            }
            if compare(arg, best).is_lt() {
                best = arg;
            }
        }
        Ok(best.clone())
    }
}
