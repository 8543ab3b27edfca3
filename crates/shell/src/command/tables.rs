//! `.tables`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::listing;

pub(super) const COMMAND: Command = Command {
    name: ".tables",
    aliases: &[".list"],
    usage: "[WORD]",
    about: "Lists tables, or those with a word in their name or environment.",
    argument: Argument::Table,
    run: |shell, word| {
        let tables = shell.engine.tables();
        let word = word.to_lowercase();
        let specs: Vec<_> = tables
            .iter()
            .map(|table| table.spec())
            .filter(|spec| spec.name.contains(&word) || spec.environment.contains(&word))
            .collect();
        listing::write_tables(&specs, shell.settings.format, shell.style, &mut shell.out)?;
        Ok(ControlFlow::Continue(()))
    },
};
