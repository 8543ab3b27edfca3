//! `indago pack run`

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use indago::packs::{self, Pack, PackQuery, Report, Status};
use indago::{Code, Engine, QueryOptions, Warning};
use indago_shell::{Failure, Style, Within, row_writer, say};

use crate::arguments::{Common, PackCommand, PackRun};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) async fn run(common: &Common, arguments: crate::arguments::Pack) -> Result {
    let PackCommand::Run(arguments) = arguments.command;
    let style = arguments.output.style()?;
    let pack = Pack::load(&arguments.path).map_err(Error::usage)?;
    let queries: Vec<&PackQuery> = match &arguments.query {
        Some(name) => vec![pack.query(name).map_err(Error::usage)?],
        None => pack.queries.iter().collect(),
    };
    let config = setup::config(common, Some(&arguments.limits))?;
    let engine = setup::engine(&config).await?;
    engine.set_as_of(arguments.past.as_of);
    let options = QueryOptions { strict: config.sql.strict, ..QueryOptions::default() };
    let mut cancel = pin!(interrupt::interrupted());
    let applies = tokio::select! {
        biased;
        () = &mut cancel => return Ok(ExitCode::from(exit::INTERRUPTED)),
        applies = Box::pin(packs::discover(&engine, &pack, &options)) => applies,
    };
    let skipped = match applies {
        Ok(reason) => reason,
        Err(error) => return Err(Error::failed(anyhow::anyhow!("a discovery query of the pack failed: {error}"))),
    };
    if arguments.rows {
        return rows(&engine, &queries, skipped, &options, &arguments, style, cancel).await;
    }
    let format = setup::format(arguments.output.chosen());
    let schema = report_schema();
    let mut writer = row_writer(format, schema.clone(), Output, Style { wraps: true, ..style });
    let mut totals = Totals::new();
    let mut worst = 0;
    for query in queries {
        let report = match &skipped {
            Some(reason) => passed_over(query, reason),
            None => tokio::select! {
                biased;
                () = &mut cancel => return Ok(ExitCode::from(exit::INTERRUPTED)),
                report = Box::pin(packs::run(&engine, query, &options, |_| {})) => report,
            },
        };
        let code = code_of(&report);
        worst = worse(worst, code);
        match report.status {
            Status::Skipped(_) => totals.skipped += 1,
            _ => totals.add(report.rows, code, Warning::any_missing(&report.warnings)),
        }
        writer.batch(&report_row(&pack, query, &report, &schema)?)?;
    }
    writer.finish()?;
    say(totals);
    Ok(ExitCode::from(worst))
}

/// Rows of each query, in order.
async fn rows(
    engine: &Engine,
    queries: &[&PackQuery],
    skipped: Option<String>,
    options: &QueryOptions,
    arguments: &PackRun,
    style: Style,
    mut cancel: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> Result {
    let format = setup::format(arguments.output.chosen());
    let mut totals = Totals::new();
    let mut worst = 0;
    for query in queries {
        say(format_args!("-- {}: {}", query.name, query.description.as_deref().unwrap_or_default()));
        if let Some(reason) = skipped.clone().or_else(|| query.mismatch(packs::PLATFORM)) {
            say(format_args!("skipped: {reason}"));
            totals.skipped += 1;
            continue;
        }
        let options = QueryOptions { timeout: query.timeout.or(options.timeout), ..options.clone() };
        let sink = |schema: &SchemaRef| Ok(super::query::stdout_sink(format, schema, style));
        let (summary, result) =
            Box::pin(indago_shell::execute(engine, &query.sql, options, sink, || true, cancel.as_mut())).await;
        indago_shell::print_warnings(&summary.warnings);
        let code = match result {
            Ok(()) => 0,
            Err(failure) if failure.is_closed_pipe() => return Ok(ExitCode::SUCCESS),
            Err(Failure::Cancelled) => return Ok(ExitCode::from(exit::INTERRUPTED)),
            Err(failure) => {
                let file = query.file.display().to_string();
                let file = match query.is_text_of_file() {
                    true => file,
                    false => format!("{file}:{}: query `{}`", query.line, query.name),
                };
                let within = Within { text: &query.sql, offset: 0, file: Some((&file, 0)) };
                indago_shell::print_error(&failure, Some(within));
                exit::code_of(&failure)
            }
        };
        worst = worse(worst, code);
        totals.add(summary.rows, code, Warning::any_missing(&summary.warnings));
    }
    say(totals);
    Ok(ExitCode::from(worst))
}

/// The last line of a run.
struct Totals {
    began: Instant,
    ran: u64,
    rows: u64,
    failed: u64,
    incomplete: u64,
    skipped: u64,
}

impl Totals {
    fn new() -> Self {
        Self { began: Instant::now(), ran: 0, rows: 0, failed: 0, incomplete: 0, skipped: 0 }
    }

    /// Counts a query that ran.
    fn add(&mut self, rows: u64, code: u8, has_warnings: bool) {
        self.ran += 1;
        self.rows += rows;
        match code {
            exit::FAILED => self.failed += 1,
            exit::INCOMPLETE => self.incomplete += 1,
            _ => self.incomplete += u64::from(has_warnings),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queries = if self.ran == 1 { "query" } else { "queries" };
        let rows = if self.rows == 1 { "row" } else { "rows" };
        write!(
            f,
            "{} {queries} run, {} {rows}, {} failed, {} incomplete, {} skipped, in {:.2} s",
            self.ran,
            self.rows,
            self.failed,
            self.incomplete,
            self.skipped,
            self.began.elapsed().as_secs_f64()
        )
    }
}

fn passed_over(query: &PackQuery, reason: &str) -> Report {
    Report::new(&query.name, Status::Skipped(reason.to_owned()))
}

fn code_of(report: &Report) -> u8 {
    match &report.status {
        Status::Ok | Status::Skipped(_) => 0,
        Status::Failed(error) if error.code() == Code::Incomplete => exit::INCOMPLETE,
        Status::Failed(_) => exit::FAILED,
    }
}

/// A failed query takes precedence over a query with missing rows.
fn worse(left: u8, right: u8) -> u8 {
    match (left, right) {
        (exit::FAILED, _) | (_, exit::FAILED) => exit::FAILED,
        (left, right) => left.max(right),
    }
}

fn report_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("pack", DataType::Utf8, false),
        Field::new("query", DataType::Utf8, false),
        Field::new("status", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("time_ms", DataType::Float64, false),
        Field::new("warnings", DataType::Utf8, true),
        Field::new("message", DataType::Utf8, true),
    ]))
}

fn report_row(pack: &Pack, query: &PackQuery, report: &Report, schema: &SchemaRef) -> Result<RecordBatch> {
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let message = match &report.status {
        Status::Ok => None,
        Status::Skipped(reason) => Some(reason.clone()),
        Status::Failed(error) => {
            Some(format!("{}: {}: {}", query.place_of(error), error.code().as_str(), error.message_with_help()))
        }
    };
    let millis = (report.elapsed.as_secs_f64() * 1e5).round() / 1e2;
    RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(StringArray::from(vec![pack.name.as_str()])),
            Arc::new(StringArray::from(vec![report.query.as_str()])),
            Arc::new(StringArray::from(vec![report.status.name()])),
            Arc::new(UInt64Array::from(vec![report.rows])),
            Arc::new(Float64Array::from(vec![millis])),
            Arc::new(StringArray::from(vec![(!warnings.is_empty()).then(|| warnings.join("; "))])),
            Arc::new(StringArray::from(vec![message])),
        ],
    )
    .map_err(|error| Error::failed(error.into()))
}
