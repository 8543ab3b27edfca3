use super::prelude::*;

scalar! {
    /// The given number of zero bytes.
    "zeroblob"("length")
    1..=1 => Returns::Blob,
    Immutable,
    example "SELECT hex(zeroblob(2))" => "0000",
    eval: |args, moment| {
        let length = args[0].as_int().unwrap_or(0).max(0) as usize;
        moment.check(length)?;
        Ok(Value::blob(vec![0; length]))
    }
}
