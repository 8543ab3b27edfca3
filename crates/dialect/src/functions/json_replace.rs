use super::prelude::*;

scalar! {
    /// A JSON text with values put at the paths where something is already.
    "json_replace"("json, path, value, ...")
    1..=usize::MAX => Returns::Text,
    Immutable,
    example "SELECT json_replace('{\"a\":1}', '$.a', 2)" => "{\"a\":2}",
    eval: |args, moment| tree::edited(args, &moment.room, tree::Edit::Replace)
}
