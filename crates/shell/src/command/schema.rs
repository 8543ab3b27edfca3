//! `.schema`

use std::ops::ControlFlow;

use super::{Argument, Command, table};
use crate::listing;

pub(super) const COMMAND: Command = Command {
    name: ".schema",
    aliases: &[".describe", ".d"],
    usage: "TABLE",
    about: "Shows a table's columns, keys, documentation and examples.",
    argument: Argument::Table,
    run: |shell, name| {
        if name.is_empty() {
            shell.complain("name a table: `.schema processes`; `.tables` lists them");
        } else if let Some(table) = table(shell, name) {
            listing::write_table(table.spec(), shell.settings.format, shell.style, &mut shell.out)?;
        }
        Ok(ControlFlow::Continue(()))
    },
};
