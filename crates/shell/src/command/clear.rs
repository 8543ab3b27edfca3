//! `.clear`

use std::io::Write;
use std::ops::ControlFlow;

use super::{Argument, Command};

/// Moves to the first position and erases the screen.
const ERASE: &[u8] = b"\x1b[H\x1b[2J";

pub(super) const COMMAND: Command = Command {
    name: ".clear",
    aliases: &["clear"],
    usage: "",
    about: "Clears the screen, like Ctrl-L.",
    argument: Argument::None,
    run: |shell, _| {
        if shell.style.terminal {
            shell.out.write_all(ERASE)?;
            shell.out.flush()?;
        }
        Ok(ControlFlow::Continue(()))
    },
};
