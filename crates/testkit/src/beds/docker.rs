//! dockerd.

use std::path::PathBuf;
use std::process::Command;

use crate::error::Result;
use crate::install;
use crate::keeper::{Keeper, Plan};

/// dockerd with the image `localhost/bb:1`. Containers get `--network none` or `host`.
///
/// Its containers are ordinary processes of this machine, with the same PIDs, so `/proc` joins work from anywhere. From
/// outside, their cgroup is `/indago-<bed>/docker/<id>`; from [`Docker::command`], `/docker/<id>`.
#[derive(Debug)]
pub struct Docker {
    keeper: Keeper,
}

impl Docker {
    /// Starts dockerd, in less than a second.
    pub fn start() -> Result<Docker> {
        install::docker()?;
        let keeper = Keeper::start(Plan {
            bed: "docker",
            script: include_str!("../../beds/docker.sh"),
            files: vec![
                ("inside.sh".into(), include_str!("../../beds/inside.sh").into()),
                ("docker-inside.sh".into(), include_str!("../../beds/docker-inside.sh").into()),
            ],
            env: vec![],
        })?;
        Ok(Docker { keeper })
    }

    /// The API's socket.
    pub fn socket(&self) -> PathBuf {
        self.keeper.path("docker.sock")
    }

    /// Runs `docker ARGS` and returns its standard output, trimmed.
    pub fn docker(&self, args: &[&str]) -> Result<String> {
        let host = format!("unix://{}", self.socket().display());
        let output = install::output(Command::new("docker").args(args).env("DOCKER_HOST", host))?;
        Ok(output.trim().to_owned())
    }

    /// Runs `docker run --detach ARGS`, without a network unless the arguments set one. Returns the container's ID.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        self.docker(&run_words(args))
    }

    /// A program inside the bed's network, mount and cgroup namespaces, with `DOCKER_HOST` set.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.keeper.command(program);
        command.env("DOCKER_HOST", format!("unix://{}", self.socket().display()));
        command
    }
}

pub(crate) fn run_words<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["run", "--detach"];
    if !args.iter().any(|word| word.starts_with("--network") || word.starts_with("--net")) {
        words.push("--network=none");
    }
    words.extend(args);
    words
}
