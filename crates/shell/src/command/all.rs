//! `.all`

use std::ops::ControlFlow;

use super::{Argument, Command, table};

pub(super) const COMMAND: Command = Command {
    name: ".all",
    aliases: &[],
    usage: "TABLE",
    about: "Shows every row of a table.",
    argument: Argument::Table,
    run: |shell, name| match table(shell, name) {
        Some(table) => shell.run_sql(&format!("SELECT * FROM {}", table.spec().name)),
        None => Ok(ControlFlow::Continue(())),
    },
};
