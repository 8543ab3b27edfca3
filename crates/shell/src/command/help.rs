//! `.help`

use std::ops::ControlFlow;

use super::{ALL, Argument, Command, find};
use crate::report::say;

pub(super) const COMMAND: Command = Command {
    name: ".help",
    aliases: &[".h", "help", "?", "\\?", "\\h"],
    usage: "[COMMAND]",
    about: "Lists commands.",
    argument: Argument::Command,
    run: |shell, name| {
        if let Some(command) = find(name).or_else(|| find(&format!(".{name}"))) {
            say(format_args!("{} {}\n  {}", command.name, command.usage, command.about));
            if !command.aliases.is_empty() {
                say(format_args!("  Also {}.", command.aliases.join(", ")));
            }
        } else if name.is_empty() {
            say(
                "SQL ends with `;` and may span several lines. Tab completes, Ctrl-C cancels a statement or a running query.\n",
            );
            for command in ALL {
                say(format_args!("  {:24} {}", format!("{} {}", command.name, command.usage), command.about));
            }
        } else {
            shell.complain(format_args!("there is no command `{}`; `.help` lists them", crate::text::visible(name)));
        }
        Ok(ControlFlow::Continue(()))
    },
};
