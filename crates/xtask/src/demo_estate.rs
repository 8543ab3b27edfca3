//! `cargo xtask demo-estate`: makes the estate that `indago demo` embeds, from nothing.
//!
//! The testkit's bed `Estate` is the company and its intruder; Indago captures it all, and the Parquet files go to
//! `crates/indago/estate/`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the workspace is above this crate")?;
    cargo(root, &["build", "--quiet", "--workspace", "--bin", "beds"])?;
    cargo(root, &["build", "--quiet", "--workspace", "--bin", "indago"])?;
    let this = std::env::current_exe().context("cannot find this program")?;
    let programs = this.parent().context("this program is in a folder")?;
    let mut beds = Command::new(programs.join("beds"));
    done(beds.arg("capture").arg(programs.join("indago")).arg(root.join("crates/indago/estate")))
}

fn cargo(root: &Path, args: &[&str]) -> Result<()> {
    done(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(args).current_dir(root))
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
