//! Runs everything that CI runs, and times each part.
//!
//! Every cargo call selects the entire workspace, so that all calls share the built dependencies.

use anyhow::Result;

use crate::{cargo, docs};

fn run_part(what: &str, arguments: &[&str]) -> Result<()> {
    crate::run(what, cargo().args(arguments))
}

pub(crate) fn run() -> Result<()> {
    run_part("fmt", &["fmt", "--all", "--check"])?;
    run_part("build", &["build", "--workspace", "--all-targets"])?;
    run_part("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    // The Kubernetes build must not run at the same time as rustc: memory.
    run_part("test beds", &["run", "--bin", "beds", "--", "install"])?;
    docs::run(true)?;
    run_part("tests", &["test", "--workspace", "--lib", "--bins", "--tests"])?;
    run_part("examples in the documentation", &["test", "--workspace", "--doc"])?;
    for example in ["embed", "own_table", "own_catalog", "own_function", "warnings", "own_kube_client"] {
        run_part(&format!("example {example}"), &["run", "--example", example])?;
    }
    run_part("demo", &["run", "--bin", "indago", "--", "demo"])?;
    eprintln!("all checks passed");
    Ok(())
}
