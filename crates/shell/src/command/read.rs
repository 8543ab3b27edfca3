//! `.read`

use std::ops::ControlFlow;
use std::path::Path;

use super::{Argument, Command};

/// Deepest nesting of `.read`.
const DEEPEST: usize = 16;

pub(super) const COMMAND: Command = Command {
    name: ".read",
    aliases: &[".i", "\\i"],
    usage: "FILE",
    about: "Runs the statements and commands in a file.",
    argument: Argument::Path,
    run: |shell, file| {
        if shell.depth >= DEEPEST {
            shell.complain(format_args!("`.read` is nested {DEEPEST} files deep; check whether the file reads itself"));
            return Ok(ControlFlow::Continue(()));
        }
        shell.depth += 1;
        let result = shell.run_file(Path::new(file));
        shell.depth -= 1;
        match result {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                shell.complain(format_args!("cannot read {}: {error}", crate::text::visible(file)));
                Ok(ControlFlow::Continue(()))
            }
            result => result,
        }
    },
};
