//! `.warnings`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::report::{print_warnings, say};

pub(super) const COMMAND: Command = Command {
    name: ".warnings",
    aliases: &[],
    usage: "",
    about: "Shows again what was missing from the last statement's rows.",
    argument: Argument::None,
    run: |shell, _| {
        if shell.last.warnings.is_empty() {
            say("nothing was missing");
        }
        print_warnings(&shell.last.warnings);
        Ok(ControlFlow::Continue(()))
    },
};
