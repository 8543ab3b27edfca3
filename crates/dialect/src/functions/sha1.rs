use super::prelude::*;

scalar! {
    /// The SHA-1 digest of a text up to its first NUL character, in lowercase hexadecimal.
    "sha1"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT sha1('abc')" => "a9993e364706816aba3e25717850c26c9cd0d89d",
    eval: |args, _| {
        let Some(bytes) = args[0].as_bytes() else { return Ok(Value::Null) };
        let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Value::text(hex::encode(<sha1::Sha1 as sha2::Digest>::digest(bytes))))
    }
}
