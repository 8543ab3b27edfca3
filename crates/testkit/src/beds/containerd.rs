//! containerd alone, with its CRI plug-in.

use std::path::PathBuf;
use std::process::Command;

use crate::error::Result;
use crate::install;
use crate::keeper::{Keeper, Plan};

pub(crate) const LIBRARY: &str = include_str!("../../beds/containerd-lib.sh");

/// containerd, with the image `localhost/bb:1` in the namespaces `default` and `k8s.io`.
#[derive(Debug)]
pub struct Containerd {
    keeper: Keeper,
}

impl Containerd {
    /// Starts containerd.
    pub fn start() -> Result<Containerd> {
        install::containerd()?;
        let keeper = Keeper::start(Plan {
            bed: "ctrd",
            script: include_str!("../../beds/containerd.sh"),
            files: vec![
                ("inside.sh".into(), include_str!("../../beds/inside.sh").into()),
                ("containerd-lib.sh".into(), LIBRARY.into()),
                ("containerd-inside.sh".into(), include_str!("../../beds/containerd-inside.sh").into()),
            ],
            env: vec![],
        })?;
        Ok(Containerd { keeper })
    }

    /// The socket, as seen from outside. Inside, it is at the standard path `/run/containerd/containerd.sock`.
    pub fn socket(&self) -> PathBuf {
        self.keeper.path("containerd/run/containerd.sock")
    }

    /// Runs `ctr ARGS` inside the bed and returns its standard output.
    pub fn ctr(&self, args: &[&str]) -> Result<String> {
        install::output(self.command("ctr").args(args))
    }

    /// Starts a sleeping container with this name in containerd's namespace `default`.
    pub fn run_ctr(&self, name: &str) -> Result<()> {
        let words =
            ["run", "--detach", "--null-io", "--runc-binary", &runc()?, "localhost/bb:1", name, "/bin/sleep", "100000"];
        self.ctr(&words).map(|_| ())
    }

    /// A program inside the bed's network, mount and cgroup namespaces.
    pub fn command(&self, program: &str) -> Command {
        self.keeper.command(program)
    }
}

fn runc() -> Result<String> {
    Ok(crate::cache::beds()?.join("runc-nores").display().to_string())
}
