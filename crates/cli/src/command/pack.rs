//! `indago pack run`

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use indago::packs::{self, Pack, PackQuery, Report, Status};
use indago::{Code, Engine, QueryOptions};
use indago_shell::{Failure, Style, row_writer, say};

use crate::arguments::{Common, PackCommand, PackRun};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) async fn run(common: &Common, arguments: crate::arguments::Pack) -> Result {
    let PackCommand::Run(arguments) = arguments.command;
    let pack = Pack::load(&arguments.path).map_err(Error::usage)?;
    let queries: Vec<&PackQuery> = match &arguments.query {
        Some(name) => vec![pack.query(name).map_err(Error::usage)?],
        None => pack.queries.iter().collect(),
    };
    let config = setup::config(common, Some(&arguments.limits))?;
    let engine = setup::engine(&config).await?;
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
        return rows(&engine, &queries, skipped, &options, &arguments, cancel).await;
    }
    let format = setup::format(arguments.format);
    let schema = report_schema();
    let mut writer = row_writer(format, schema.clone(), Output, Style::of_stdout());
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
        worst = worse(worst, code_of(&report));
        writer.batch(&report_row(&pack, &report, &schema)?)?;
    }
    writer.finish()?;
    Ok(ExitCode::from(worst))
}

/// Rows of each query, in order.
async fn rows(
    engine: &Engine,
    queries: &[&PackQuery],
    skipped: Option<String>,
    options: &QueryOptions,
    arguments: &PackRun,
    mut cancel: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> Result {
    let format = setup::format(arguments.format);
    let style = Style::of_stdout();
    let mut worst = 0;
    for query in queries {
        say(format_args!("-- {}: {}", query.name, query.description.as_deref().unwrap_or_default()));
        if let Some(reason) = skipped.clone().or_else(|| query.mismatch(packs::PLATFORM)) {
            say(format_args!("skipped: {reason}"));
            continue;
        }
        let options = QueryOptions { timeout: query.timeout.or(options.timeout), ..options.clone() };
        let sink = |schema: &SchemaRef| Ok(super::query::stdout_sink(format, schema, style));
        let (summary, result) =
            Box::pin(indago_shell::execute(engine, &query.sql, options, sink, true, cancel.as_mut())).await;
        indago_shell::print_warnings(&summary.warnings);
        match result {
            Ok(()) => {}
            Err(failure) if failure.is_closed_pipe() => return Ok(ExitCode::SUCCESS),
            Err(Failure::Cancelled) => return Ok(ExitCode::from(exit::INTERRUPTED)),
            Err(failure) => {
                worst = worse(worst, exit::code_of(&failure));
                indago_shell::print_error(&failure, None);
            }
        }
    }
    Ok(ExitCode::from(worst))
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

fn report_row(pack: &Pack, report: &Report, schema: &SchemaRef) -> Result<RecordBatch> {
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let message = match &report.status {
        Status::Ok => None,
        Status::Skipped(reason) => Some(reason.clone()),
        Status::Failed(error) => {
            let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
            Some(format!("{}: {error}{help}", error.code().as_str()))
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
