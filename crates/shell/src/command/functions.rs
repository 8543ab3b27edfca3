//! `.functions`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::listing;

pub(super) const COMMAND: Command = Command {
    name: ".functions",
    aliases: &["\\df"],
    usage: "[WORD]",
    about: "Lists SQL functions; with WORD, those whose name contains it.",
    argument: Argument::Function,
    run: |shell, word| {
        let mut functions = shell.engine.functions();
        if let Err(error) = listing::functions_like(&mut functions, word) {
            shell.complain(error);
            return Ok(ControlFlow::Continue(()));
        }
        listing::write_functions(&functions, shell.listing(), shell.style, &mut shell.out)?;
        Ok(ControlFlow::Continue(()))
    },
};
