//! `.rewritten`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".rewritten",
    aliases: &[],
    usage: "[on|off]",
    about: "Shows the SQL that each statement became before it was planned.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "rewritten", argument, |shell| &mut shell.settings.rewritten),
};
