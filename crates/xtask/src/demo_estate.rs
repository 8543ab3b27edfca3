//! `cargo xtask demo-estate`: creates the estate that `indago demo` embeds, from scratch.
//!
//! The testkit's bed `Estate` is the company and its intruder. Indago captures it, and the Parquet files are written to
//! `crates/indago/estate/`.

use std::process::Command;

use anyhow::{Context, Result};

use crate::{cargo, root};

pub(crate) fn run() -> Result<()> {
    crate::run("programs", cargo().args(["build", "--quiet", "--workspace", "--bin", "beds", "--bin", "indago"]))?;
    let this = std::env::current_exe().context("cannot find this program")?;
    let programs = this.parent().context("this program has no directory")?;
    let mut beds = Command::new(programs.join("beds"));
    beds.arg("capture").arg(programs.join("indago")).arg(root().join("crates/indago/estate"));
    crate::run("capture", &mut beds)
}
