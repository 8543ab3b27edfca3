//! `.show`

use std::ops::ControlFlow;

use indago::config::Period;

use super::{Argument, Command};
use crate::report::say;

pub(super) const COMMAND: Command = Command {
    name: ".show",
    aliases: &[".summary"],
    usage: "",
    about: "Shows the settings.",
    argument: Argument::None,
    run: |shell, _| {
        let switch = |on: bool| if on { "on" } else { "off" };
        let settings = &shell.settings;
        say(format_args!("mode      {}", settings.format));
        say(format_args!("output    {}", if shell.redirected { "a file" } else { "the screen" }));
        say(format_args!("timer     {}", switch(settings.timer)));
        say(format_args!("stats     {}", switch(settings.stats)));
        say(format_args!("strict    {}", switch(settings.options.strict)));
        say(format_args!("rewritten {}", switch(settings.rewritten)));
        say(format_args!(
            "timeout   {}",
            settings.options.timeout.map_or("off".into(), |timeout| Period(timeout).to_string())
        ));
        Ok(ControlFlow::Continue(()))
    },
};
