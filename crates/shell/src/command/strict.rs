//! `.strict`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".strict",
    aliases: &[],
    usage: "[on|off]",
    about: "Fails a query from whose rows something is missing.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "strict", argument, |shell| &mut shell.settings.options.strict),
};
