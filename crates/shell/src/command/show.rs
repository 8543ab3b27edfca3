//! `.show`

use std::io::Write;
use std::ops::ControlFlow;

use indago::config::Period;

use super::{Argument, Command};
use crate::pager;
use crate::text::visible;

pub(super) const COMMAND: Command = Command {
    name: ".show",
    aliases: &[".summary"],
    usage: "",
    about: "Shows the settings, and the configuration and store that are read.",
    argument: Argument::None,
    run: |shell, _| {
        let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
        let settings = &shell.settings;
        let pager = match pager::command() {
            _ if !settings.pager => switch(false),
            Ok(pager) => pager,
            Err(why) => format!("none: {why}"),
        };
        let timeout = settings.options.timeout.map_or(switch(false), |timeout| Period(timeout).to_string());
        let own = [
            ("mode", settings.format.to_string()),
            ("headers", switch(shell.style.separated.header)),
            ("separator", shell.style.separated.separator.map_or("the format's".to_owned(), |own| own.to_string())),
            ("output", if shell.redirected { "a file" } else { "the screen" }.to_owned()),
            ("pager", pager),
            ("timer", switch(settings.timer)),
            ("stats", switch(settings.stats)),
            ("strict", switch(settings.options.strict)),
            ("rewritten", switch(settings.rewritten)),
            ("timeout", timeout),
            ("as of", shell.engine.as_of().map_or("now".to_owned(), |time| time.to_string())),
        ];
        for (what, value) in settings.origin.iter().chain(&own) {
            writeln!(shell.out, "{what:9} {}", visible(value))?;
        }
        Ok(ControlFlow::Continue(()))
    },
};
