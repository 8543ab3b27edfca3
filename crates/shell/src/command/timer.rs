//! `.timer`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".timer",
    aliases: &["\\timing"],
    usage: "[on|off]",
    about: "Shows rows and time after each statement.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "timer", argument, |shell| &mut shell.settings.timer),
};
