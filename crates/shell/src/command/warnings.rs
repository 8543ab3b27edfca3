//! `.warnings`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::report::{print_warnings, say};

pub(super) const COMMAND: Command = Command {
    name: ".warnings",
    aliases: &[],
    usage: "",
    about: "Shows the warnings of the last statement again.",
    argument: Argument::None,
    run: |shell, _| {
        if shell.last.warnings.is_empty() {
            say("no warnings");
        }
        print_warnings(&shell.last.warnings);
        Ok(ControlFlow::Continue(()))
    },
};
