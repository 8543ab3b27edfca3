//! `.help`

use std::io::Write;
use std::ops::ControlFlow;

use super::{ALL, Argument, Command, find};
use crate::text::wrapped;

pub(super) const COMMAND: Command = Command {
    name: ".help",
    aliases: &[".h", "help", "?", "\\?", "\\h"],
    usage: "[COMMAND]",
    about: "Lists commands.",
    argument: Argument::Command,
    run: |shell, name| {
        let width = shell.style.width.unwrap_or(WIDTH).clamp(NARROWEST, WIDEST);
        let out = &mut shell.out;
        if let Some(command) = find(name).or_else(|| find(&format!(".{name}"))) {
            writeln!(out, "{} {}", command.name, command.usage)?;
            for line in wrapped(command.about, width - 2) {
                writeln!(out, "  {line}")?;
            }
            if !command.aliases.is_empty() {
                writeln!(out, "  Also {}.", command.aliases.join(", "))?;
            }
        } else if name.is_empty() {
            for line in wrapped(INTRODUCTION, width) {
                writeln!(out, "{line}")?;
            }
            writeln!(out)?;
            for command in ALL {
                let usage = format!("{} {}", command.name, command.usage);
                let mut left = usage.as_str();
                if left.len() > USAGE {
                    writeln!(out, "  {left}")?;
                    left = "";
                }
                for line in wrapped(command.about, width - INDENT) {
                    writeln!(out, "  {left:USAGE$} {line}")?;
                    left = "";
                }
            }
        } else {
            shell.complain(super::unknown(name));
        }
        Ok(ControlFlow::Continue(()))
    },
};

const INTRODUCTION: &str =
    "SQL ends with `;` and may span several lines. Tab completes, Ctrl-C cancels a statement or a running query.";

/// Width of the list elsewhere than on a terminal.
const WIDTH: usize = 100;
const NARROWEST: usize = 50;
const WIDEST: usize = 120;
/// Width of the column of commands, and of all that is before their descriptions.
const USAGE: usize = 22;
const INDENT: usize = USAGE + 3;
