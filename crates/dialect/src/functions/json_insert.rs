use super::prelude::*;

scalar! {
    /// A JSON text with values added at the paths that do not exist yet.
    "json_insert"("json, path, value, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_insert('{\"a\":1}', '$.a', 2)" => "{\"a\":1}",
    eval: |args, moment| tree::edited(args, &moment.room, tree::Edit::Insert)
}
