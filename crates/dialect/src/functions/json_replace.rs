use super::prelude::*;

scalar! {
    /// A JSON text with values replaced at the paths that already exist.
    "json_replace"("json, path, value, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_replace('{\"a\":1}', '$.a', 2)" => "{\"a\":2}",
    eval: |args, moment| tree::edited(args, &moment.room, tree::Edit::Replace)
}
