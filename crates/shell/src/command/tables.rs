//! `.tables`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::{listing, report};

pub(super) const COMMAND: Command = Command {
    name: ".tables",
    aliases: &[".list"],
    usage: "[WORD]",
    about: "Lists tables; with WORD, those whose name or environment contains it.",
    argument: Argument::Table,
    run: |shell, word| {
        let tables = shell.engine.tables();
        let word = word.to_lowercase();
        let specs: Vec<_> = tables
            .iter()
            .map(|table| table.spec())
            .filter(|spec| spec.name.contains(&word) || spec.environment.contains(&word))
            .collect();
        let (mut found, missing) = shell.runtime.block_on(shell.engine.found_names());
        found.retain(|found| found.name.contains(&word) || found.catalog.contains(&word));
        report::print_warnings(&missing);
        listing::write_tables(&specs, &found, shell.settings.format, shell.style, &mut shell.out)?;
        Ok(ControlFlow::Continue(()))
    },
};
