//! `indago check`: what each environment can read with the current permissions, what is missing, and why.
//!
//! It runs small queries. Their warnings and their coverage are the result.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::futures::{StreamExt, stream};
use indago::{Completeness, Coverage, Engine, Outcome, QueryOptions, TableSpec, Warning};
use indago_shell::{Format, Style, say, write_batch};

use crate::arguments::{Check, Common};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

/// Timeout of one query, unless the user sets another.
const PATIENCE: Duration = Duration::from_secs(10);
/// Queries that run at the same time.
const AT_ONCE: usize = 4;

/// The environments with several slices: the table that every slice with valid credentials can read, and the column that
/// names the slice.
const ANCHORS: [(&str, &str, &str); 2] =
    [("kubernetes", "kubernetes_api_resources", "cluster"), ("aws", "aws_sts_caller_identity", "profile")];
/// A repository has all of its rows or none, so one table tells which can be read.
const REPOSITORIES: &str = "git_repositories";

pub(crate) async fn run(common: &Common, arguments: Check) -> Result {
    let style = Style { wraps: true, ..arguments.output.style()? };
    let config = setup::config(common, None)?;
    let engine = setup::engine(&config).await?;
    let timeout = arguments.timeout.map_or(PATIENCE, |timeout| timeout.0);
    let findings = tokio::select! {
        biased;
        () = interrupt::interrupted() => return Ok(ExitCode::from(exit::INTERRUPTED)),
        findings = Box::pin(check(&engine, timeout)) => findings,
    };
    let format = setup::format(arguments.output.chosen());
    // A table for people omits the names of complete tables.
    let batch = batch(&findings, format != Format::Table).map_err(|error| Error::failed(error.into()))?;
    write_batch(&batch, format, style, &mut Output)?;
    say(totals(&findings));
    let is_complete = findings.iter().all(|finding| !is_missing(finding.status));
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(exit::INCOMPLETE) })
}

/// The status of tables that were read without a warning.
const OK: &str = "ok";
const NOT_CHECKED: &str = "not checked";

/// Whether tables of this status lack data that exists. What this system does not have is not missing.
fn is_missing(status: &str) -> bool {
    !matches!(status, OK | NOT_CHECKED) && !is_not_here(status)
}

fn is_not_here(status: &str) -> bool {
    [Outcome::Absent, Outcome::Unsupported].iter().any(|outcome| status == outcome.name())
}

/// Tables of one place with the same outcome.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    environment: String,
    /// A cluster, a profile, a runtime, a repository; empty for a host.
    place: String,
    status: &'static str,
    needs: Option<String>,
    reason: Option<String>,
    /// Tables, with the columns that are missing: `users`, `mounts (size)`.
    tables: BTreeSet<String>,
}

impl Finding {
    /// The names of the tables, each once.
    fn names(&self) -> BTreeSet<&str> {
        self.tables.iter().map(|table| table.split(' ').next().unwrap_or(table)).collect()
    }
}

/// The tables of the findings with such a status.
fn named(findings: &[Finding], is: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    findings.iter().filter(|finding| is(finding.status)).flat_map(Finding::names).collect()
}

/// How many tables there are, and how many of them were read.
fn totals(findings: &[Finding]) -> String {
    let all = named(findings, |_| true);
    let unchecked = named(findings, |status| status == NOT_CHECKED);
    let missing = named(findings, is_missing);
    let not_here: BTreeSet<&str> = named(findings, is_not_here).difference(&missing).copied().collect();
    let unchecked = unchecked.iter().filter(|table| !missing.contains(*table) && !not_here.contains(*table)).count();
    let read = all.len() - missing.len() - not_here.len() - unchecked;
    format!(
        "{} tables: {read} read completely, {} with something missing, {} not available here, {unchecked} not checked",
        all.len(),
        missing.len(),
        not_here.len(),
    )
}

/// A query over one table, and the place that it reads.
struct Probe {
    environment: String,
    table: String,
    place: String,
    sql: String,
}

impl Probe {
    /// All rows of a table.
    fn all(spec: &TableSpec) -> Self {
        Probe {
            environment: spec.environment.to_string(),
            table: spec.name.to_string(),
            place: String::new(),
            sql: format!("SELECT * FROM \"{}\"", spec.name),
        }
    }

    /// One row of a table, with all columns.
    fn one(spec: &TableSpec, slice: Option<(&str, &str)>) -> Self {
        let place = slice.map_or("", |(_, value)| value).to_owned();
        let condition = slice.map_or(String::new(), |(column, _)| format!(" WHERE \"{column}\" = $place"));
        Probe { sql: format!("SELECT * FROM \"{}\"{condition} LIMIT 1", spec.name), place, ..Probe::all(spec) }
    }
}

/// What a query found out.
struct Answer {
    probe: Probe,
    warnings: Vec<Warning>,
    coverage: Vec<Coverage>,
    failure: Option<indago::Error>,
}

async fn check(engine: &Engine, timeout: Duration) -> Vec<Finding> {
    let tables = engine.tables();
    // The attack graph reads the tables of clusters, which are checked themselves.
    let specs = tables.iter().map(|table| table.spec()).filter(|spec| spec.environment != "reach");
    let specs: Vec<&TableSpec> = specs.collect();
    let anchor = |spec: &TableSpec| ANCHORS.iter().find(|(environment, ..)| *environment == spec.environment);
    let is_anchor = |spec: &TableSpec| anchor(spec).is_some_and(|(_, table, _)| *table == spec.name);
    let readable = || specs.iter().copied().filter(|spec| !spec.is_keyed());
    let first = readable().filter(|spec| anchor(spec).is_none() || is_anchor(spec)).map(|spec| {
        if spec.environment == "git" && spec.name != REPOSITORIES { Probe::one(spec, None) } else { Probe::all(spec) }
    });
    let mut answers = run_all(engine, first.collect(), timeout).await;
    // The other tables of each slice whose credentials are valid.
    let mut second = Vec::new();
    for answer in &answers {
        let Some((environment, _, column)) = ANCHORS.iter().find(|(_, table, _)| *table == answer.probe.table) else {
            continue;
        };
        let valid = answer.coverage.iter().filter(|slice| slice.completeness != Completeness::Failed);
        let places: BTreeSet<&String> = valid.filter_map(|slice| slice.known.get(*column)).collect();
        for place in places {
            let others = readable().filter(|spec| spec.environment == *environment && !is_anchor(spec));
            second.extend(others.map(|spec| Probe::one(spec, Some((column, place)))));
        }
    }
    answers.extend(run_all(engine, second, timeout).await);
    let mut findings = findings(&answers);
    let found: BTreeSet<String> = findings.iter().flat_map(Finding::names).map(str::to_owned).collect();
    for spec in specs.iter().filter(|spec| !found.contains(&*spec.name)) {
        let is_probed = answers.iter().any(|answer| *answer.probe.table == *spec.name);
        let reason = match (spec.is_keyed(), is_probed) {
            (true, _) => "the table needs a constraint",
            (false, true) => "nothing to read is configured or was found",
            (false, false) => "not configured",
        };
        add(
            &mut findings,
            Finding {
                environment: spec.environment.to_string(),
                place: String::new(),
                status: NOT_CHECKED,
                needs: None,
                reason: Some(reason.to_owned()),
                tables: [spec.name.to_string()].into(),
            },
        );
    }
    findings.sort();
    findings
}

async fn run_all(engine: &Engine, probes: Vec<Probe>, timeout: Duration) -> Vec<Answer> {
    let run = |probe: Probe| async move {
        let mut options = QueryOptions { timeout: Some(timeout), ..QueryOptions::default() };
        if !probe.place.is_empty() {
            options = options.bind("place", probe.place.as_str());
        }
        let query = match engine.query_with(&probe.sql, options).await {
            Ok(query) => query,
            Err(error) => {
                return Answer { probe, warnings: Vec::new(), coverage: Vec::new(), failure: Some(error) };
            }
        };
        let mut batches = query.stream();
        let mut failure = None;
        while let Some(batch) = batches.next().await {
            failure = batch.err();
        }
        Answer { probe, warnings: query.warnings(), coverage: query.coverage(), failure }
    };
    stream::iter(probes).map(|probe| Box::pin(run(probe))).buffer_unordered(AT_ONCE).collect().await
}

fn findings(answers: &[Answer]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for answer in answers {
        let Probe { environment, table, place, .. } = &answer.probe;
        let mut problems = BTreeSet::new();
        for warning in &answer.warnings {
            let is_it = |slice: &&Coverage| slice.problem.as_ref().is_some_and(|problem| problem.is_like(warning));
            let slice = answer.coverage.iter().find(is_it).map(|slice| slice.slice.clone());
            let place = if place.is_empty() { slice.unwrap_or_default() } else { place.clone() };
            let is_part = !warning.origin.is_empty() && warning.origin != place;
            let what = if is_part { format!("{table} ({})", warning.origin) } else { table.clone() };
            problems.insert(place.clone());
            add(
                &mut findings,
                Finding {
                    environment: environment.clone(),
                    place,
                    status: warning.outcome.name(),
                    // One permission explains many messages.
                    reason: Some(warning.message.clone()),
                    needs: warning.needs.clone(),
                    tables: [what].into(),
                },
            );
        }
        if let Some(error) = &answer.failure {
            problems.insert(place.clone());
            let status = error.code().as_str();
            let (environment, place, tables) = (environment.clone(), place.clone(), [table.clone()].into());
            let reason = Some(error.to_string());
            add(&mut findings, Finding { environment, place, status, needs: None, reason, tables });
        }
        let places: BTreeMap<&str, bool> = match place.is_empty() {
            true => {
                answer.coverage.iter().map(|slice| (slice.slice.as_str(), problems.contains(&slice.slice))).collect()
            }
            false => [(place.as_str(), problems.contains(place))].into(),
        };
        for (place, _) in places.into_iter().filter(|(_, has_problem)| !has_problem) {
            let (environment, place, tables) = (environment.clone(), place.to_owned(), [table.clone()].into());
            add(&mut findings, Finding { environment, place, status: OK, needs: None, reason: None, tables });
        }
    }
    findings
}

/// Adds a finding to those with the same cause.
fn add(findings: &mut Vec<Finding>, finding: Finding) {
    let is_same = |known: &&mut Finding| {
        (&known.environment, &known.place, known.status, &known.needs)
            == (&finding.environment, &finding.place, finding.status, &finding.needs)
            && (finding.needs.is_some() || known.reason == finding.reason)
    };
    match findings.iter_mut().find(is_same) {
        Some(known) => known.tables.extend(finding.tables),
        None => findings.push(finding),
    }
}

/// One row per finding. The names of complete tables are optional.
fn batch(findings: &[Finding], names_complete: bool) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let fields = vec![
        text("environment", false),
        text("place", true),
        text("status", false),
        Field::new("tables", DataType::UInt64, false),
        text("names", false),
        text("needs", true),
        text("reason", true),
    ];
    let place = |finding: &Finding| (!finding.place.is_empty()).then(|| finding.place.clone());
    let names = |finding: &Finding| match finding.status == OK && !names_complete {
        true => String::new(),
        false => finding.tables.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let count = |finding: &Finding| finding.names().len() as u64;
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(findings.iter().map(|finding| Some(finding.environment.as_str())).collect::<StringArray>()),
            Arc::new(findings.iter().map(place).collect::<StringArray>()),
            Arc::new(findings.iter().map(|finding| Some(finding.status)).collect::<StringArray>()),
            Arc::new(findings.iter().map(count).collect::<UInt64Array>()),
            Arc::new(findings.iter().map(|finding| Some(names(finding))).collect::<StringArray>()),
            Arc::new(findings.iter().map(|finding| finding.needs.as_deref()).collect::<StringArray>()),
            Arc::new(findings.iter().map(|finding| finding.reason.as_deref()).collect::<StringArray>()),
        ],
    )
}
