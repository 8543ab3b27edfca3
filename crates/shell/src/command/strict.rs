//! `.strict`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".strict",
    aliases: &[],
    usage: "[on|off]",
    about: "Fails queries with missing rows or values.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "strict", argument, |shell| &mut shell.settings.options.strict),
};
