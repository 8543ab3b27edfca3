use super::prelude::*;

scalar! {
    /// The greatest of its arguments; NULL if any is NULL. Numbers sort before text.
    ///
    /// Written `max(x, y, ...)` with two or more arguments; with one argument, `max` is the aggregate.
    "scalar_max"("x, y, ...")
    2..=usize::MAX => Returns::By(widest),
    Immutable,
    example "SELECT max(3, 1, 2)" => "3",
    example "SELECT max(5, NULL) IS NULL" => "1",
    eval: |args, _| {
        let mut best = &args[0];
        for arg in args {
            if arg.is_null() {
                return Ok(Value::Null);
            }
            if compare(arg, best).is_gt() {
                best = arg;
            }
        }
        Ok(best.clone())
    }
}
