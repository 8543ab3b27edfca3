use super::prelude::*;

scalar! {
    /// The Community ID (version 1) of a flow: `1:` and the base64 of a SHA-1 over the ordered endpoints.
    ///
    /// Invalid input is an error.
    "community_id_v1_strict"("source, destination, source_port, destination_port, protocol [, seed]")
    5..=6 => Returns::Text,
    Immutable,
    example "SELECT community_id_v1_strict('66.35.250.204', '128.232.110.120', 80, 34855, 6)" => "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
    eval: |args, _| match network::community_id(args) {
        Ok(id) => Ok(Value::text(id)),
        Err(message) => Err(message.into()),
    }
}
