//! `.show`

use std::ops::ControlFlow;

use indago::config::Period;

use super::{Argument, Command};

pub(super) const COMMAND: Command = Command {
    name: ".show",
    aliases: &[".summary"],
    usage: "",
    about: "Shows the settings.",
    argument: Argument::None,
    run: |shell, _| {
        let switch = |on: bool| if on { "on" } else { "off" };
        let settings = &shell.settings;
        eprintln!("mode      {}", settings.format);
        eprintln!("output    {}", if shell.redirected { "a file" } else { "the screen" });
        eprintln!("timer     {}", switch(settings.timer));
        eprintln!("stats     {}", switch(settings.stats));
        eprintln!("strict    {}", switch(settings.options.strict));
        eprintln!("rewritten {}", switch(settings.rewritten));
        eprintln!("timeout   {}", settings.options.timeout.map_or("off".into(), |timeout| Period(timeout).to_string()));
        Ok(ControlFlow::Continue(()))
    },
};
