//! `.show`

use std::ops::ControlFlow;

use indago::config::Period;

use super::{Argument, Command};
use crate::report::say;
use crate::text::visible;

pub(super) const COMMAND: Command = Command {
    name: ".show",
    aliases: &[".summary"],
    usage: "",
    about: "Shows the settings, and the configuration and store that are read.",
    argument: Argument::None,
    run: |shell, _| {
        let switch = |on: bool| if on { "on" } else { "off" };
        let settings = &shell.settings;
        for (what, origin) in &settings.origin {
            say(format_args!("{what:9} {}", visible(origin)));
        }
        say(format_args!("mode      {}", settings.format));
        say(format_args!("output    {}", if shell.redirected { "a file" } else { "the screen" }));
        say(format_args!("pager     {}", switch(settings.pager)));
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
