//! `.separator`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::report::say;

pub(super) const COMMAND: Command = Command {
    name: ".separator",
    aliases: &[],
    usage: "[CHARACTER]",
    about: "Sets what separates the values of csv and list; `\\t` is a tab.",
    argument: Argument::Text,
    run: |shell, text| {
        let separator = &mut shell.style.separated.separator;
        match text.trim_matches(['"', '\'']) {
            "" => {
                say(format_args!("separator: {}", separator.map_or("the format's".to_owned(), |own| own.to_string())))
            }
            text => match text.parse() {
                Ok(chosen) => *separator = Some(chosen),
                Err(error) => shell.complain(error),
            },
        }
        Ok(ControlFlow::Continue(()))
    },
};
