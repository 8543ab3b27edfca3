//! `.asof`

use std::ops::ControlFlow;
use std::time::SystemTime;

use indago::table::Timestamp;

use super::{Argument, Command};
use crate::report::say;

pub(super) const COMMAND: Command = Command {
    name: ".asof",
    aliases: &[],
    usage: "[TIME|now]",
    about: "Reads recorded tables as they were at a time, such as 2026-11-01 03:00 or -2 hours.",
    argument: Argument::Text,
    run: |shell, argument| {
        match argument.trim_matches('\'') {
            "" => match shell.engine.as_of() {
                Some(time) => say(format_args!("as of {time}")),
                None => say("as of now"),
            },
            "now" | "off" => shell.engine.set_as_of(None),
            text => match indago::point_in_time(text, Timestamp::from(SystemTime::now())) {
                Ok(time) => shell.engine.set_as_of(Some(time)),
                Err(error) => shell.complain(crate::text::visible(&error.message_with_help())),
            },
        }
        Ok(ControlFlow::Continue(()))
    },
};
