use super::prelude::*;

scalar! {
    /// The file that a command line runs: its shortest prefix, split at white space, that is an existing file.
    ///
    /// Reads the disk of the machine that the engine runs on. NULL is an error.
    "find_file_path_in_cmd"("command [, quoting [, escape]]")
    1..=3 => Returns::Text,
    Volatile,
    example "SELECT find_file_path_in_cmd('/etc/passwd -x')" => "/etc/passwd",
    eval: |args, _| Ok(network::command_files(&args[0], args.get(1))?.into_iter().next().map_or(Value::Null, Value::text))
}
