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
        let word = word.to_lowercase();
        let mut functions = shell.engine.functions();
        functions.retain(|function| function.name.contains(&word));
        listing::write_functions(&functions, shell.listing(), shell.style, &mut shell.out)?;
        Ok(ControlFlow::Continue(()))
    },
};
