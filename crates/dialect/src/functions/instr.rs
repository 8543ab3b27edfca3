use super::prelude::*;

scalar! {
    /// The position (from 1) of the first occurrence of the second text in the first; 0 if there is none.
    "instr"("x, part")
    2..=2 => Returns::Int,
    Immutable,
    example "SELECT instr('hello', 'l')" => "3",
    example "SELECT instr('hello', 'z')" => "0",
    eval: |args, _| {
        if let (Value::Blob(whole), Value::Blob(part)) = (&args[0], &args[1]) {
            let at = if part.is_empty() { Some(0) } else { whole.windows(part.len()).position(|window| window == &part[..]) };
            return Ok(Value::Int(at.map_or(0, |at| at as i64 + 1)));
        }
        let (Some(whole), Some(part)) = (args[0].as_text(), args[1].as_text()) else { return Ok(Value::Null) };
        Ok(Value::Int(whole.find(&*part).map_or(0, |at| whole[..at].chars().count() as i64 + 1)))
    }
}
