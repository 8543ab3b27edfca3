//! The project's tasks: `cargo xtask TASK`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

mod beds;
mod check;
mod compare;
mod demo_estate;
mod docs;
mod hermetic;
mod new_table;
mod package;

const USAGE: &str = "\
usage: cargo xtask TASK

tasks:
  check                run all checks of CI: test bed requirements, fmt, clippy, tests, examples, generated docs
  check --hermetic     the same without root and test beds; lists the tests that it leaves out
  docs [--check]       write the reference pages under docs/reference, or check that they are up to date
  new-table ENV/NAME   create a table: its file, its tests, its line in lib.rs
  compare [--built]    compare with the peers in one run, with a new release build or the existing one
  package [--program PATH]
                       make a Debian package and a container image from a release build, or from this program
  demo-estate          capture the demo estate again from real test beds
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["check"] => check::run(),
        ["check", "--hermetic"] => check::run_hermetic(),
        ["docs"] => docs::run(false),
        ["docs", "--check"] => docs::run(true),
        ["new-table", name] => new_table::run(name),
        ["compare"] => compare::run(false),
        ["compare", "--built"] => compare::run(true),
        ["package"] => package::run(None),
        ["package", "--program", program] => package::run(Some(Path::new(program))),
        ["demo-estate"] => demo_estate::run(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The project's root directory.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(PathBuf::from).unwrap_or(here)
}

/// The cargo that runs this program.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    // cargo set variables about this package. Build scripts look at them (ring's does), and would run again together
    // with everything that depends on them.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|known| name.starts_with(known)) {
            cargo.env_remove(&*name);
        }
    }
    cargo
}

/// Runs a command to its end and prints how long it took.
fn run(what: &str, command: &mut Command) -> Result<()> {
    eprintln!("==> {what}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("{what}: {command:?}"))?;
    eprintln!("<== {what}: {:.0} s", started.elapsed().as_secs_f64());
    if !status.success() {
        bail!("{what} failed ({status}): {command:?}");
    }
    Ok(())
}

/// The standard output of a command.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} did not print UTF-8"))
}
