//! `.tables`

use std::io;
use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::repl::Shell;
use crate::{listing, report};

pub(super) const COMMAND: Command = Command {
    name: ".tables",
    aliases: &[".list", "\\dt", "\\dt+", "\\dv"],
    usage: "[WORD]",
    about: "Lists tables and views; with WORD, those that mention it: names, columns, descriptions, examples. `kube*` is a \
            pattern of names.",
    argument: Argument::Table,
    run: |shell, word| {
        list(shell, word)?;
        Ok(ControlFlow::Continue(()))
    },
};

/// Lists the tables and views that mention a word.
pub(super) fn list(shell: &mut Shell, word: &str) -> io::Result<()> {
    let (found, missing) = shell.runtime.block_on(shell.engine.found_names());
    report::print_warnings(&missing);
    let tables = listing::Tables::of(&shell.engine, found).mentioning(word);
    if tables.is_empty() {
        shell.complain(listing::Tables::none(word));
        return Ok(());
    }
    tables.write(shell.listing(), shell.style, &mut shell.out)
}
