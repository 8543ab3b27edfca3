//! `.mode`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::report::say;

pub(super) const COMMAND: Command = Command {
    name: ".mode",
    aliases: &[".format"],
    usage: "[FORMAT]",
    about: "Sets the output format: table, json, ndjson, csv, list, line or markdown.",
    argument: Argument::Format,
    run: |shell, format| {
        if format.is_empty() {
            say(format_args!("output format: {}", shell.settings.format));
        } else {
            match format.parse() {
                Ok(format) => {
                    shell.settings.format = format;
                    shell.settings.listing = Some(format);
                }
                Err(error) => shell.complain(error),
            }
        }
        Ok(ControlFlow::Continue(()))
    },
};
