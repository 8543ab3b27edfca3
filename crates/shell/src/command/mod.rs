//! Dot-commands, one per file.

mod all;
mod asof;
mod clear;
mod examples;
mod functions;
mod header;
mod help;
mod mode;
mod output;
mod pager;
mod parameter;
mod quit;
mod read;
mod rewritten;
mod schema;
mod separator;
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
    Path,
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
    header::COMMAND,
    separator::COMMAND,
    output::COMMAND,
    pager::COMMAND,
    read::COMMAND,
    parameter::COMMAND,
    timer::COMMAND,
    stats::COMMAND,
    warnings::COMMAND,
    strict::COMMAND,
    timeout::COMMAND,
    asof::COMMAND,
    rewritten::COMMAND,
    show::COMMAND,
    clear::COMMAND,
    version::COMMAND,
    help::COMMAND,
    quit::COMMAND,
];

/// The command with a name or alias.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    ALL.iter().find(|command| command.name == name || command.aliases.contains(&name))
}

/// The name and the argument of a line.
fn parts(line: &str) -> (&str, &str) {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (name, argument.trim())
}

/// Whether a line is a command: `.tables`, `\d users` as in psql, or a word such as `exit`.
pub(crate) fn is_command(line: &str) -> bool {
    let (name, argument) = parts(line);
    name.starts_with(['.', '\\']) || find(name).is_some() && !argument.contains(char::is_whitespace)
}

/// The kind of argument that the text after a command's name is; `None` without such a command and a blank.
pub(crate) fn argument_of(line: &str) -> Option<Argument> {
    let (name, _) = line.trim_start().split_once(char::is_whitespace)?;
    find(name).map(|command| command.argument)
}

/// Runs a line that is a command.
pub(crate) fn run(shell: &mut Shell, line: &str) -> io::Result<ControlFlow<()>> {
    let (name, argument) = parts(line);
    match find(name) {
        Some(command) => (command.run)(shell, argument),
        None => {
            shell.complain(unknown(name));
            Ok(ControlFlow::Continue(()))
        }
    }
}

/// Words that begin a statement.
const STARTS: [&str; 13] = [
    "SELECT", "WITH", "VALUES", "EXPLAIN", "CREATE", "DROP", "SHOW", "DESCRIBE", "DESC", "PRAGMA", "FROM", "SET",
    "RESET",
];

/// The error for a line that is neither a command nor the begin of a statement: a command without its dot, such as
/// `tables`, or a single word such as `ls`.
pub(crate) fn neither(line: &str) -> Option<String> {
    let (word, argument) = parts(line);
    if STARTS.iter().any(|start| start.eq_ignore_ascii_case(word)) && !(word == "show" && argument.is_empty()) {
        return None;
    }
    let shown = crate::text::visible(word);
    match find(&format!(".{word}")) {
        Some(command) => Some(format!("`{shown}` begins no statement; did you mean `{}`?", command.name)),
        None if !argument.is_empty() || word.is_empty() || !word.chars().all(|c| c.is_ascii_alphabetic()) => None,
        None => Some(format!("`{shown}` is neither a statement nor a command; `.help` lists commands")),
    }
}

/// Commands of sqlite3 and osqueryi, and what to use here.
const ELSEWHERE: [(&[&str], &str); 3] = [
    (
        &["open", "databases", "import"],
        "a program opens captures with `--store DIR` and reads files with `read_csv(..)`",
    ),
    (&["width", "nullvalue"], "the output formats are fixed; `.mode` sets one"),
    (&["dump", "backup", "save"], "`indago capture --out DIR` writes tables"),
];

/// The error for a command that does not exist.
fn unknown(name: &str) -> String {
    let bare = name.trim_start_matches(['.', '\\']);
    if let Some((_, hint)) = ELSEWHERE.iter().find(|(names, _)| names.contains(&bare)) {
        return format!("no command `{}`: {hint}", crate::text::visible(name));
    }
    let known = ALL.iter().flat_map(|command| std::iter::once(&command.name).chain(command.aliases)).copied();
    // Without the dot, so that a typo counts as much in a short name as in a long one.
    let near = indago::table::closest(bare, known.clone().map(|name| name.trim_start_matches('.')));
    let near = near.and_then(|near| known.clone().find(|name| name.trim_start_matches('.') == near));
    let hint = near.map_or("; `.help` lists them".to_owned(), |near| format!("; did you mean `{near}`?"));
    format!("no command `{}`{hint}", crate::text::visible(name))
}

/// Sets a switch from `on` or `off`, or shows it.
fn switch(
    shell: &mut Shell,
    name: &str,
    argument: &str,
    of: fn(&mut Shell) -> &mut bool,
) -> io::Result<ControlFlow<()>> {
    let value = match argument.to_ascii_lowercase().as_str() {
        "on" | "1" | "yes" => true,
        "off" | "0" | "no" => false,
        "" => {
            say(format_args!("{name} is {}", if *of(shell) { "on" } else { "off" }));
            return Ok(ControlFlow::Continue(()));
        }
        _ => {
            shell.complain(format_args!("`{}` is not a switch; use on or off", crate::text::visible(argument)));
            return Ok(ControlFlow::Continue(()));
        }
    };
    *of(shell) = value;
    Ok(ControlFlow::Continue(()))
}

/// The table with a name. Reports an error if there is none.
fn table(shell: &mut Shell, name: &str) -> Option<indago::TableRef> {
    match shell.runtime.block_on(shell.engine.find_table(name)) {
        Ok(Some(table)) => return Some(table),
        Ok(None) => {
            let message = shell.engine.no_table(name).message_with_help();
            shell.complain(crate::text::visible(&message));
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
        let mut names: Vec<&str> = ALL.iter().flat_map(|command| command.aliases).copied().collect();
        for command in ALL {
            assert!(command.name.starts_with('.') && command.about.ends_with('.'), "{}", command.name);
            assert_eq!(find(command.name).map(|found| found.name), Some(command.name));
            names.push(command.name);
        }
        let many = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), many, "a name belongs to one command");
        assert!(find(".nonsense").is_none());
    }

    #[test]
    fn a_mistyped_command_has_a_suggestion() {
        for (typed, expected) in [
            (".tabels", "no command `.tabels`; did you mean `.tables`?"),
            (".tbles", "no command `.tbles`; did you mean `.tables`?"),
            (".shcema", "no command `.shcema`; did you mean `.schema`?"),
            (".exti", "no command `.exti`; did you mean `.exit`?"),
            ("\\dy", "no command `\\dy`; did you mean `.d`?"),
            (".nonsense", "no command `.nonsense`; `.help` lists them"),
            (".nullvalue", "no command `.nullvalue`: the output formats are fixed; `.mode` sets one"),
        ] {
            assert_eq!(unknown(typed), expected);
        }
    }

    #[test]
    fn commands_are_recognized_as_users_of_other_shells_type_them() {
        for (line, expected) in [
            (".exit", ".quit"),
            ("exit", ".quit"),
            ("quit;", ".quit"),
            ("\\q", ".quit"),
            ("help", ".help"),
            ("help .read", ".help"),
            ("?", ".help"),
            ("\\?", ".help"),
            ("\\d", ".schema"),
            ("\\d processes", ".schema"),
            ("\\dt", ".tables"),
            ("\\df", ".functions"),
            ("\\i some.sql", ".read"),
            ("\\o rows.csv", ".output"),
            ("\\timing", ".timer"),
            ("clear", ".clear"),
        ] {
            assert!(is_command(line), "{line}");
            assert_eq!(find(parts(line).0).map(|command| command.name), Some(expected), "{line}");
        }
        for (line, expected) in [
            ("tables", Some("`tables` begins no statement; did you mean `.tables`?")),
            ("schema users;", Some("`schema` begins no statement; did you mean `.schema`?")),
            ("show", Some("`show` begins no statement; did you mean `.show`?")),
            ("ls", Some("`ls` is neither a statement nor a command; `.help` lists commands")),
            ("SELECT", None),
            ("show tables", None),
            ("describe users", None),
            ("SELCT 1", None),
            ("(SELECT 1)", None),
        ] {
            assert_eq!(neither(line).as_deref(), expected, "{line}");
        }
        for sql in ["SELECT 1", "exits", "help SELECT 1", "quit FROM t", "", "-- exit"] {
            assert!(!is_command(sql), "{sql}");
        }
    }
}
