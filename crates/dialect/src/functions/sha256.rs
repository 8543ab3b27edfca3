use super::prelude::*;

scalar! {
    /// The SHA-256 digest of a text up to its first NUL character, in lowercase hexadecimal.
    "sha256"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT sha256('abc')" => "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    eval: |args, _| {
        let Some(bytes) = args[0].as_bytes() else { return Ok(Value::Null) };
        let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Value::text(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(bytes))))
    }
}
