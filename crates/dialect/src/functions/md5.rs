use super::prelude::*;

scalar! {
    /// The MD5 digest of a text up to its first NUL character, in lowercase hexadecimal.
    "md5"("x")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT md5('abc')" => "900150983cd24fb0d6963f7d28e17f72",
    eval: |args, _| {
        let Some(bytes) = args[0].as_bytes() else { return Ok(Value::Null) };
        let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Value::text(hex::encode(<md5::Md5 as sha2::Digest>::digest(bytes))))
    }
}
