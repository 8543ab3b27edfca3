//! `.pager`

use super::{Argument, Command, switch};

pub(super) const COMMAND: Command = Command {
    name: ".pager",
    aliases: &[],
    usage: "[on|off]",
    about: "Shows results that are longer than the screen in `$PAGER`; by default in less, if it is installed.",
    argument: Argument::Switch,
    run: |shell, argument| switch(shell, "pager", argument, |shell| &mut shell.settings.pager),
};
