//! `.version`

use std::io::Write;
use std::ops::ControlFlow;

use super::{Argument, Command};

pub(super) const COMMAND: Command = Command {
    name: ".version",
    aliases: &[],
    usage: "",
    about: "Shows the version.",
    argument: Argument::None,
    run: |shell, _| {
        writeln!(shell.out, "indago {}", env!("CARGO_PKG_VERSION"))?;
        Ok(ControlFlow::Continue(()))
    },
};
