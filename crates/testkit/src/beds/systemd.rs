//! systemd as the first process of its own namespaces.

use std::ffi::OsStr;
use std::process::Command;

use crate::error::Result;
use crate::install;
use crate::keeper::{Keeper, Plan};

/// A running systemd with a system bus, a journal and the units `indago-*`.
#[derive(Debug)]
pub struct Systemd {
    keeper: Keeper,
}

impl Systemd {
    /// Starts systemd and waits until its units are started.
    pub fn start() -> Result<Systemd> {
        install::apt(&["systemd", "dbus", "util-linux"])?;
        let inside = include_str!("../../beds/systemd-inside.sh");
        let keeper = Keeper::start(Plan {
            bed: "systemd",
            script: include_str!("../../beds/systemd.sh"),
            files: vec![("systemd-inside.sh".into(), inside.into())],
            env: vec![],
        })?;
        Ok(Systemd { keeper })
    }

    /// The ID of systemd's process on this machine.
    pub fn pid(&self) -> u32 {
        self.keeper.namespace_pid()
    }

    /// A program inside systemd's namespaces.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid().to_string(), "-n", "-m", "-C", "-u", "-p", "--"]).arg(program);
        command
    }
}
