//! `.schema`

use std::ops::ControlFlow;

use super::{Argument, Command, table};
use crate::listing;

pub(super) const COMMAND: Command = Command {
    name: ".schema",
    aliases: &[".describe", ".d", "\\d", "\\d+"],
    usage: "[TABLE]",
    about: "Shows a table's columns, keys, documentation and examples; without TABLE, lists tables.",
    argument: Argument::Table,
    run: |shell, name| {
        if name.is_empty() {
            super::tables::list(shell, "")?;
        } else if let Some(table) = table(shell, name) {
            let format = shell.settings.listing.unwrap_or_default();
            listing::write_table(table.spec(), format, shell.style, &mut shell.out)?;
        }
        Ok(ControlFlow::Continue(()))
    },
};
