//! Runs everything that CI runs, and times each part.
//!
//! Every cargo call selects the entire workspace, so that all calls share the built dependencies.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::hermetic::{self, Needs};
use crate::{cargo, docs, root};

/// A failure does not stop the tests after it: one run shows every failure.
const TESTS: &[&str] = &["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"];

fn run_part(what: &str, arguments: &[&str]) -> Result<()> {
    crate::run(what, cargo().args(arguments))
}

pub(crate) fn run() -> Result<()> {
    run_part("fmt", &["fmt", "--all", "--check"])?;
    run_part("build", &["build", "--workspace", "--all-targets"])?;
    clippy()?;
    // The Kubernetes build must not run at the same time as rustc: memory.
    run_part("test beds", &["run", "--bin", "beds", "--", "install"])?;
    docs::run(true)?;
    run_part("tests", TESTS)?;
    documentation()?;
    eprintln!("all checks passed");
    Ok(())
}

/// The checks that need neither root nor a bed. Ends with the tests that were left out.
pub(crate) fn run_hermetic() -> Result<()> {
    let left_out = hermetic::needs(&root())?;
    run_part("fmt", &["fmt", "--all", "--check"])?;
    clippy()?;
    docs::run(true)?;
    let skips = left_out.keys().flat_map(|test| ["--skip", test]);
    let mut tests = cargo();
    tests.args(TESTS).args(["--", "--exact"]).args(skips).env(hermetic::VARIABLE, "1");
    crate::run("tests", &mut tests)?;
    documentation()?;
    eprint!("{}", report(&left_out));
    Ok(())
}

fn clippy() -> Result<()> {
    run_part("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn documentation() -> Result<()> {
    run_part("examples in the documentation", &["test", "--workspace", "--doc"])?;
    for example in ["embed", "own_table", "own_catalog", "own_function", "warnings", "own_kube_client"] {
        run_part(&format!("example {example}"), &["run", "--example", example])?;
    }
    run_part("demo", &["run", "--bin", "indago", "--", "demo"])
}

fn report(left_out: &Needs) -> String {
    let mut by_need: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (test, needs) in left_out {
        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
        by_need.entry(needs.join(", ")).or_default().push(test);
    }
    let mut text = format!(
        "all checks passed that need neither root nor a test bed; {} tests were left out (`cargo xtask check` runs them):\n",
        left_out.len()
    );
    for (need, tests) in by_need {
        text += &format!("  need {need}:\n    {}\n", tests.join("\n    "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_lists_each_test_with_what_it_needs() {
        let needs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let left_out = Needs::from([
            ("aws::a".to_owned(), needs(&["Moto"])),
            ("forensics::b".to_owned(), needs(&["Cluster", "Moto"])),
            ("host::c".to_owned(), needs(&["root"])),
            ("kubernetes::d".to_owned(), needs(&["Cluster", "Moto"])),
        ]);
        let expected = "all checks passed that need neither root nor a test bed; 4 tests were left out (`cargo xtask check` \
                        runs them):\n  need Cluster, Moto:\n    forensics::b\n    kubernetes::d\n  need Moto:\n    aws::a\n  \
                        need root:\n    host::c\n";
        assert_eq!(report(&left_out), expected);
    }
}
