use super::prelude::*;

scalar! {
    /// Orders two values as SQLite does: -1, 0 or 1. If the third argument is `'numeric'`, text that is entirely a number counts as that number; otherwise it names a collation.
    "compare"("x, y [, how]")
    2..=3 => Returns::Int,
    Immutable,
    example "SELECT compare(10, 'abc')" => "-1",
    example "SELECT compare('1.10', '1.9', 'version')" => "1",
    eval: |args, _| {
        if args[0].is_null() || args[1].is_null() {
            return Ok(Value::Null);
        }
        let how = args.get(2).and_then(Value::as_text).unwrap_or_default();
        let order = match (&*how, &args[0], &args[1]) {
            ("numeric", left, right) => {
                compare(&left.clone().with_numeric_affinity(), &right.clone().with_numeric_affinity())
            }
            ("", left, right) => compare(left, right),
            (how, Value::Text(left), Value::Text(right)) => match Collation::named(how) {
                Some(collation) => collation.compare(left, right),
                None => return Err(format!("no such collation sequence: {how}").into()),
            },
            (_, left, right) => compare(left, right),
        };
        Ok(Value::Int(order as i64))
    }
}
