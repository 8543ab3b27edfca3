//! Runs everything that CI runs, and times each part.
//!
//! Every cargo call selects the entire workspace, so that all calls share the built dependencies.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::hermetic::{self, Needs};
use crate::{cargo, docs, root};

/// A failed test does not stop those after it.
const TESTS: &[&str] = &["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"];

fn run_part(what: &str, arguments: &[&str]) -> Result<()> {
    crate::run(what, cargo().args(arguments))
}

/// The failed parts. A failed part does not stop those after it: one run reports every failure.
#[derive(Default)]
struct Parts {
    failed: Vec<String>,
}

impl Parts {
    fn note(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            eprintln!("error: {error:#}");
            self.failed.push(format!("{error:#}"));
        }
    }

    fn run(&mut self, what: &str, arguments: &[&str]) {
        self.note(run_part(what, arguments));
    }

    fn clippy(&mut self) {
        self.run("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    }

    fn documentation(&mut self) {
        self.run("examples in the documentation", &["test", "--workspace", "--doc"]);
        for example in ["embed", "own_table", "own_catalog", "own_function", "warnings", "own_kube_client"] {
            self.run(&format!("example {example}"), &["run", "--example", example]);
        }
        self.run("demo", &["run", "--bin", "indago", "--", "demo"]);
    }

    fn outcome(&self) -> Result<()> {
        ensure!(self.failed.is_empty(), "{} checks failed:\n{}", self.failed.len(), self.failed.join("\n"));
        Ok(())
    }
}

pub(crate) fn run() -> Result<()> {
    let mut parts = Parts::default();
    parts.run("fmt", &["fmt", "--all", "--check"]);
    // What does not compile cannot be tested.
    run_part("build", &["build", "--workspace", "--all-targets"])?;
    parts.clippy();
    // The Kubernetes build must not run at the same time as rustc: memory.
    parts.run("test beds", &["run", "--bin", "beds", "--", "install"]);
    parts.note(docs::run(true));
    parts.run("tests", TESTS);
    parts.documentation();
    parts.outcome()?;
    eprintln!("all checks passed");
    Ok(())
}

/// The checks that need neither root nor a bed. Ends with the tests that were left out.
pub(crate) fn run_hermetic() -> Result<()> {
    let left_out = hermetic::needs(&root())?;
    let mut parts = Parts::default();
    parts.run("fmt", &["fmt", "--all", "--check"]);
    parts.clippy();
    parts.note(docs::run(true));
    let skips = left_out.keys().flat_map(|test| ["--skip", test]);
    let mut tests = cargo();
    tests.args(TESTS).args(["--", "--exact"]).args(skips).env(hermetic::VARIABLE, "1");
    parts.note(crate::run("tests", &mut tests));
    parts.documentation();
    parts.outcome()?;
    eprint!("{}", report(&left_out));
    Ok(())
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
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn every_failed_part_is_reported() {
        let mut parts = Parts::default();
        parts.note(Err(anyhow!("docs failed")));
        parts.note(Ok(()));
        parts.note(Err(anyhow!("tests failed")));
        let error = parts.outcome().expect_err("two parts failed").to_string();
        assert_eq!(error, "2 checks failed:\ndocs failed\ntests failed");
        assert!(Parts::default().outcome().is_ok());
    }

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
