//! `.examples`

use std::io::Write;
use std::ops::ControlFlow;

use super::{Argument, Command, table};

pub(super) const COMMAND: Command = Command {
    name: ".examples",
    aliases: &[],
    usage: "TABLE",
    about: "Shows queries that use a table.",
    argument: Argument::Table,
    run: |shell, name| {
        if let Some(table) = table(shell, name) {
            for example in table.spec().examples.iter() {
                writeln!(shell.out, "-- {}\n{};\n", example.title, example.sql.trim_end_matches(';'))?;
            }
            shell.out.flush()?;
        }
        Ok(ControlFlow::Continue(()))
    },
};
