//! Dot-commands, one per file.

mod all;
mod examples;
mod functions;
mod help;
mod mode;
mod output;
mod parameter;
mod quit;
mod read;
mod rewritten;
mod schema;
mod show;
mod stats;
mod strict;
mod tables;
mod timeout;
mod timer;
mod version;
mod warnings;

use std::io;
use std::ops::ControlFlow;

use crate::repl::Shell;
use crate::report::say;

/// A dot-command.
pub(crate) struct Command {
    /// Its name, with the dot.
    pub(crate) name: &'static str,
    /// Other names.
    pub(crate) aliases: &'static [&'static str],
    /// Its argument, as `.help` shows it.
    pub(crate) usage: &'static str,
    /// What it does, in one line.
    pub(crate) about: &'static str,
    /// Completion of its argument.
    pub(crate) argument: Argument,
    /// Runs it.
    pub(crate) run: fn(&mut Shell, &str) -> io::Result<ControlFlow<()>>,
}

/// Kind of a command's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    None,
    Table,
    Function,
    Format,
    Switch,
    Command,
    Text,
}

/// All commands, in the order of `.help`.
pub(crate) const ALL: &[Command] = &[
    tables::COMMAND,
    schema::COMMAND,
    examples::COMMAND,
    functions::COMMAND,
    all::COMMAND,
    mode::COMMAND,
    output::COMMAND,
    read::COMMAND,
    parameter::COMMAND,
    timer::COMMAND,
    stats::COMMAND,
    warnings::COMMAND,
    strict::COMMAND,
    timeout::COMMAND,
    rewritten::COMMAND,
    show::COMMAND,
    version::COMMAND,
    help::COMMAND,
    quit::COMMAND,
];

/// The command with a name; the dot is optional.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    let name = name.trim_start_matches('.');
    let is = |known: &str| known.trim_start_matches('.') == name;
    ALL.iter().find(|command| is(command.name) || command.aliases.iter().any(|alias| is(alias)))
}

/// Runs a line that starts with a dot.
pub(crate) fn run(shell: &mut Shell, line: &str) -> io::Result<ControlFlow<()>> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match find(name) {
        Some(command) => (command.run)(shell, argument.trim()),
        None => {
            let known = ALL.iter().map(|command| command.name);
            let hint = indago::config::closest(name, known).map(|name| format!("; did you mean `{name}`?"));
            shell.complain(format_args!(
                "there is no command `{}`{}",
                crate::text::visible(name),
                hint.unwrap_or_else(|| "; `.help` lists them".into())
            ));
            Ok(ControlFlow::Continue(()))
        }
    }
}

/// Sets a switch from `on` or `off`, or toggles it.
fn switch(
    shell: &mut Shell,
    name: &str,
    argument: &str,
    of: fn(&mut Shell) -> &mut bool,
) -> io::Result<ControlFlow<()>> {
    let value = match argument {
        "on" | "1" | "yes" => true,
        "off" | "0" | "no" => false,
        "" => !*of(shell),
        other => {
            shell.complain(format_args!("`{}` is not a switch; use on or off", crate::text::visible(other)));
            return Ok(ControlFlow::Continue(()));
        }
    };
    *of(shell) = value;
    if argument.is_empty() {
        say(format_args!("{name} is {}", if value { "on" } else { "off" }));
    }
    Ok(ControlFlow::Continue(()))
}

/// The table with a name. Reports an error if there is none.
fn table(shell: &mut Shell, name: &str) -> Option<indago::TableRef> {
    match shell.runtime.block_on(shell.engine.find_table(name)) {
        Ok(Some(table)) => return Some(table),
        Ok(None) => {
            let hint = shell.engine.nearest_table(name);
            let hint = hint.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            shell.complain(format_args!("there is no table `{}`{hint}", crate::text::visible(name)));
        }
        Err(error) => shell.complain(error),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_and_described() {
        for command in ALL {
            assert!(command.name.starts_with('.') && command.about.ends_with('.'), "{}", command.name);
            assert_eq!(find(command.name).map(|found| found.name), Some(command.name));
        }
        assert_eq!(find(".exit").map(|command| command.name), Some(".quit"));
        assert!(find(".nonsense").is_none());
    }
}
