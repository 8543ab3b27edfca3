use super::prelude::*;

scalar! {
    /// The part of a path before its last `/`; NULL if it has none. An argument that is not text is an error.
    "parent_directory"("path")
    1..=1 => Returns::Text,
    Immutable,
    example "SELECT parent_directory('/usr/bin/ls')" => "/usr/bin",
    eval: |args, _| {
        let Value::Text(path) = &args[0] else { return Err("needs a path as text".into()) };
        Ok(path.rfind('/').map_or(Value::Null, |at| Value::text(&path[..at])))
    }
}
