//! podman, serving Docker's API and its own.

use std::path::PathBuf;
use std::process::Command;

use crate::beds::docker::run_words;
use crate::error::Result;
use crate::install;
use crate::keeper::{Keeper, Plan};

/// podman's service with the image `localhost/bb:1`.
#[derive(Debug)]
pub struct Podman {
    keeper: Keeper,
}

impl Podman {
    /// Starts podman's API service.
    pub fn start() -> Result<Podman> {
        install::podman()?;
        let keeper = Keeper::start(Plan {
            bed: "podman",
            script: include_str!("../../beds/podman.sh"),
            files: vec![
                ("inside.sh".into(), include_str!("../../beds/inside.sh").into()),
                ("podman-inside.sh".into(), include_str!("../../beds/podman-inside.sh").into()),
            ],
            env: vec![],
        })?;
        Ok(Podman { keeper })
    }

    /// The API's socket: Docker's API, and podman's under `/v4.0.0/libpod`.
    pub fn socket(&self) -> PathBuf {
        self.keeper.path("podman.sock")
    }

    /// Runs `podman ARGS` and returns its standard output, trimmed.
    pub fn podman(&self, args: &[&str]) -> Result<String> {
        let output = install::output(self.command("podman").arg("--tmpdir").arg(self.keeper.path("tmp")).args(args))?;
        Ok(output.trim().to_owned())
    }

    /// Runs `podman run --detach ARGS`, without a network unless the arguments set one. Returns the container's ID.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        self.podman(&run_words(args))
    }

    /// A program inside the bed's network, mount and cgroup namespaces.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.keeper.command(program);
        command
            .env("CONTAINERS_CONF", self.keeper.path("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", self.keeper.path("storage.conf"));
        command
    }
}
