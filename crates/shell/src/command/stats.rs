//! `.stats`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".stats",
    aliases: &[],
    usage: "[on|off]",
    about: "Shows what each scan read after each statement.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "stats", argument, |shell| &mut shell.settings.stats),
};
