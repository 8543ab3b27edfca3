use super::prelude::*;

scalar! {
    /// The given number of random bytes, at least one.
    "randomblob"("length")
    1..=1 => Returns::Blob,
    Volatile,
    example "SELECT length(randomblob(4))" => "4",
    eval: |args, moment| {
        let length = args[0].as_int().unwrap_or(1).max(1) as usize;
        moment.check(length)?;
        let bytes = (0..length.div_ceil(8)).flat_map(|_| text::random_int().to_ne_bytes()).take(length).collect::<Vec<u8>>();
        Ok(Value::blob(bytes))
    }
}
