//! `.version`

use std::ops::ControlFlow;

use super::{Argument, Command};
use crate::report::say;

pub(super) const COMMAND: Command = Command {
    name: ".version",
    aliases: &[],
    usage: "",
    about: "Shows the version.",
    argument: Argument::None,
    run: |_, _| {
        say(format_args!("indago {}", env!("CARGO_PKG_VERSION")));
        Ok(ControlFlow::Continue(()))
    },
};
