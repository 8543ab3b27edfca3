//! `.headers`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".headers",
    aliases: &[".header"],
    usage: "[on|off]",
    about: "Starts the formats csv and list with the names of the columns.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "headers", argument, |shell| &mut shell.style.separated.header),
};
