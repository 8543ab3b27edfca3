use super::prelude::*;

scalar! {
    /// Two texts joined; the operator `||` becomes this function.
    "concatenate"("x, y")
    2..=2 => Returns::Text,
    Immutable,
    example "SELECT 'a' || 1" => "a1",
    example "SELECT 'a' || NULL IS NULL" => "1",
    eval: |args, moment| {
        let (Some(left), Some(right)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        moment.room.check_sum([left.len(), right.len()])?;
        Ok(Value::text([left, right].concat()))
    }
}
