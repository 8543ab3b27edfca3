use super::prelude::*;

scalar! {
    /// A JSON text with values set at the paths, whether or not they exist.
    "json_set"("json, path, value, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_set('{\"a\":1}', '$.b', 2)" => "{\"a\":1,\"b\":2}",
    eval: |args, moment| tree::edited(args, &moment.room, tree::Edit::Set)
}
