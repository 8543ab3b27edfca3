//! `.quit`

use std::ops::ControlFlow;

use super::{Argument, Command};

pub(super) const COMMAND: Command = Command {
    name: ".quit",
    aliases: &[".exit", ".q", "exit", "quit", "\\q"],
    usage: "",
    about: "Quits the shell, like Ctrl-D.",
    argument: Argument::None,
    run: |_, _| Ok(ControlFlow::Break(())),
};
