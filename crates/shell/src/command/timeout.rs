//! `.timeout`

use std::ops::ControlFlow;

use indago::config::Period;

use super::{Argument, Command};
use crate::report::say;

pub(super) const COMMAND: Command = Command {
    name: ".timeout",
    aliases: &[],
    usage: "[30s|off]",
    about: "Sets the timeout of statements.",
    argument: Argument::Text,
    run: |shell, argument| {
        match argument {
            "" => match shell.settings.options.timeout {
                Some(timeout) => say(format_args!("timeout: {}", Period(timeout))),
                None => say("no timeout"),
            },
            "off" | "0" => shell.settings.options.timeout = None,
            text => match text.parse::<Period>() {
                Ok(period) if !period.0.is_zero() => shell.settings.options.timeout = Some(period.0),
                Ok(_) => shell.settings.options.timeout = None,
                Err(error) => shell.complain(error),
            },
        }
        Ok(ControlFlow::Continue(()))
    },
};
