use super::prelude::*;

scalar! {
    /// Whether exactly one prefix of a command line names an existing file.
    ///
    /// Reads the disk of the machine that the engine runs on. NULL is an error.
    "is_path_deterministic"("command [, quoting [, escape]]")
    1..=3 => Returns::Int,
    Volatile,
    example "SELECT is_path_deterministic('/etc/passwd -x')" => "1",
    eval: |args, _| Ok(Value::Int(i64::from(network::command_files(&args[0], args.get(1))?.len() == 1)))
}
