//! Test beds that a task starts: the testkit's program `beds`, held by its standard input.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// Beds that run as long as this value lives.
pub(crate) struct Beds {
    child: Child,
    /// Environment variables for programs that use the beds.
    pub(crate) environment: Vec<(String, String)>,
}

impl Beds {
    /// Starts beds by name; `last` is the variable that the last of them prints last.
    pub(crate) fn up(program: &Path, names: &[&str], last: &str) -> Result<Beds> {
        let mut child = Command::new(program)
            .env_remove("CONTAINERD_ADDRESS")
            .arg("up")
            .args(names)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let output = child.stdout.take().context("standard output is a pipe")?;
        let mut beds = Beds { child, environment: Vec::new() };
        let mut lines = BufReader::new(output).lines();
        while beds.environment.last().is_none_or(|(key, _)| key != last) {
            let line = lines.next().context("the beds did not start")??;
            let pair = line.strip_prefix("export ").and_then(|rest| rest.split_once('='));
            let (key, value) = pair.with_context(|| format!("unexpected output of the beds: `{line}`"))?;
            beds.environment.push((key.to_owned(), value.trim_matches('\'').to_owned()));
        }
        Ok(beds)
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Result<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("the beds did not print {name}"))
    }
}

impl Drop for Beds {
    fn drop(&mut self) {
        // End of input stops the beds.
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}
