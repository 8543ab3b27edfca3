//! `indago iam`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use indago::iam::{Case, Cases};
use indago_shell::{say, write_batch};

use crate::arguments::{Iam, IamCommand, IamTest};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::setup;

/// Largest file of cases.
const LONGEST: u64 = 64 << 20;

/// A case after its evaluation.
struct Tested {
    file: String,
    name: String,
    passed: bool,
    expected: String,
    decision: String,
    reason: String,
}

pub(crate) fn run(arguments: Iam) -> Result {
    let IamCommand::Test(arguments) = arguments.command;
    test(arguments)
}

fn test(arguments: IamTest) -> Result {
    let style = arguments.output.style()?;
    let mut files = Vec::new();
    for path in &arguments.paths {
        find(path, &mut files).map_err(Error::usage)?;
    }
    let mut tested = Vec::new();
    for file in &files {
        match read(file) {
            Ok(cases) => tested.extend(cases.into_iter().map(|case| evaluate(file, case))),
            // The other files are still tested.
            Err(error) => tested.push(failed(file, String::new(), format!("{error:#}"))),
        }
    }
    if tested.is_empty() {
        return Err(Error::usage(anyhow!(
            "no cases: name a file (.yaml, .yml or .json) or a directory with such files"
        )));
    }
    let failures = tested.iter().filter(|case| !case.passed).count();
    let shown: Vec<&Tested> = tested.iter().filter(|case| !case.passed || !arguments.failed).collect();
    let batch = table(&shown).map_err(Error::usage)?;
    write_batch(&batch, setup::format(arguments.output.chosen()), style, &mut Output)?;
    say(format_args!("{} cases in {} files, {failures} failed", tested.len(), files.len()));
    Ok(if failures > 0 { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

/// The files of a directory, sorted, or a file.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let shown = path.display();
    if !path.metadata().with_context(|| format!("{shown}"))?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in path.read_dir().with_context(|| format!("{shown}"))? {
        entries.push(entry.with_context(|| format!("{shown}"))?.path());
    }
    entries.sort();
    for entry in entries {
        let is_link = entry.is_symlink();
        let is_case =
            entry.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|end| extension == *end));
        if entry.is_dir() && !is_link {
            find(&entry, files)?;
        } else if is_case {
            files.push(entry);
        }
    }
    Ok(())
}

/// The cases of a file. JSON is YAML, but its errors name what JSON lacks.
fn read(file: &Path) -> anyhow::Result<Vec<indago::iam::Result<Case>>> {
    let bytes = file.metadata()?.len();
    if bytes > LONGEST {
        return Err(anyhow!("{bytes} bytes, which is more than the limit of {LONGEST}"));
    }
    let text = std::fs::read_to_string(file)?;
    let cases: Cases = match file.extension().is_some_and(|extension| extension == "json") {
        true => serde_json::from_str(&text)?,
        false => serde_saphyr::from_str(&text).map_err(|error| anyhow!("{error}"))?,
    };
    Ok(cases.cases()?)
}

fn evaluate(file: &Path, case: indago::iam::Result<Case>) -> Tested {
    let case = match case {
        Ok(case) => case,
        Err(error) => return failed(file, String::new(), error.to_string()),
    };
    let expected = case.expected.name().to_owned();
    match case.document.evaluate() {
        Ok(answer) => Tested {
            file: file.display().to_string(),
            name: case.name.clone(),
            passed: answer.decision == case.expected,
            expected,
            decision: answer.decision.name().to_owned(),
            reason: answer.to_string(),
        },
        Err(error) => Tested { expected, ..failed(file, case.name.clone(), error.to_string()) },
    }
}

fn failed(file: &Path, name: String, reason: String) -> Tested {
    let file = file.display().to_string();
    Tested { file, name, passed: false, expected: String::new(), decision: "malformed".to_owned(), reason }
}

fn table(tested: &[&Tested]) -> anyhow::Result<RecordBatch> {
    let column = |value: fn(&Tested) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(tested.iter().map(|case| value(case))))
    };
    Ok(RecordBatch::try_from_iter([
        ("result", column(|case| if case.passed { "passed" } else { "failed" })),
        ("file", column(|case| &case.file)),
        ("case", column(|case| &case.name)),
        ("expected", column(|case| &case.expected)),
        ("decision", column(|case| &case.decision)),
        ("reason", column(|case| &case.reason)),
    ])?)
}
