//! `.rewritten`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".rewritten",
    aliases: &[],
    usage: "[on|off]",
    about: "Shows each statement as it was rewritten for DataFusion.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "rewritten", argument, |shell| &mut shell.settings.rewritten),
};
