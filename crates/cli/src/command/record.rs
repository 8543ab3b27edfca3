//! `indago record`

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::config::{Config, Location};
use indago::futures::StreamExt;
use indago::store::{self, Recorder, TableReading};
use indago::{Engine, Warning};
use indago_daemon::Told;
use indago_shell::{Format, Style, say, visible, write_batch};
use tokio::runtime::Runtime;

use crate::arguments::{Common, Record};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) async fn run(runtime: &Runtime, common: &Common, arguments: Record) -> Result {
    let style = arguments.output.style()?;
    let mut config = setup::config(common, Some(&arguments.limits))?;
    if let Some(dir) = arguments.dir {
        config.record.dir = Location(dir);
    }
    if arguments.once {
        let engine = setup::engine(&config).await?;
        return once(engine, &config, arguments.output.chosen(), style).await;
    }
    let mut told = pin!(interrupt::told()?);
    let recorder = open(setup::engine(&config).await?, &config).await?;
    let _workers = runtime.enter();
    let stop = async { while told.next().await == Some(Told::Reload) {} };
    Box::pin(recorder.run(stop, print)).await.map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// Adds one reading of each table to the store.
pub(crate) async fn once(engine: Engine, config: &Config, format: Option<Format>, style: Style) -> Result {
    let mut told = pin!(interrupt::told()?);
    let mut recorder = open(engine, config).await?;
    let mut readings: Vec<TableReading> = Vec::new();
    let once = Box::pin(recorder.once(|reading| readings.push(reading.clone())));
    tokio::select! {
        biased;
        _ = told.next() => return Ok(ExitCode::from(exit::INTERRUPTED)),
        done = once => done.map_err(failed)?,
    }
    let mut code = ExitCode::SUCCESS;
    // The tables of one environment have the same warnings.
    indago_shell::print_warnings(readings.iter().flat_map(|reading| &reading.warnings));
    for reading in &readings {
        if Warning::any_missing(&reading.warnings) && config.sql.strict {
            code = ExitCode::from(exit::INCOMPLETE);
        }
    }
    for reading in &readings {
        if let Some(failure) = &reading.failure {
            say(format_args!("error: {}: {}", reading.table, visible(failure)));
            code = ExitCode::from(exit::FAILED);
        }
    }
    let batch = batch(&readings).map_err(|error| Error::failed(error.into()))?;
    write_batch(&batch, setup::format(format), style, &mut Output)?;
    Ok(code)
}

/// The recorder of a configuration. Prints what it will record, and what it cannot.
async fn open(engine: Engine, config: &Config) -> Result<Recorder> {
    let recorder = Box::pin(indago::recorder(&engine, config)).await.map_err(failed)?;
    for problem in recorder.problems() {
        say(format_args!("warning: {}", visible(problem)));
    }
    if recorder.tables() == 0 {
        return Err(Error::usage(anyhow::anyhow!(
            "nothing to record; name tables that exist: as arguments of `indago capture`, or in `[recording.<name>]`"
        )));
    }
    let (tables, dir, writer) = (recorder.tables(), &config.record.dir, recorder.writer());
    say(format_args!("recording {tables} tables into {} as {}", visible(&dir.0), visible(writer)));
    Ok(recorder)
}

fn failed(error: store::Error) -> Error {
    match error {
        store::Error::Recording { .. } | store::Error::OtherWriter { .. } => Error::usage(error),
        error => Error::failed(error.into()),
    }
}

/// A line about a reading that changed something, or could not.
fn print(reading: &TableReading) {
    let TableReading { table, rows, added, modified, ended, .. } = reading;
    match &reading.failure {
        Some(failure) if !reading.is_failing => say(format_args!("{table}: not recorded: {}", visible(failure))),
        None if reading.is_failing => say(format_args!("{table}: recorded again")),
        _ => {}
    }
    if added + modified + ended > 0 {
        let millis = reading.elapsed.as_millis();
        say(format_args!("{table}: {added} added, {modified} modified, {ended} ended; {rows} rows, {millis} ms"));
    }
}

/// One row per table.
fn batch(readings: &[TableReading]) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let number = |name: &str| Field::new(name, DataType::UInt64, false);
    let fields = vec![
        Field::new("table", DataType::Utf8, false),
        number("rows"),
        number("added"),
        number("modified"),
        number("ended"),
        Field::new("time_ms", DataType::Float64, false),
        number("warnings"),
    ];
    let numbers = |of: fn(&TableReading) -> u64| Arc::new(readings.iter().map(of).collect::<UInt64Array>());
    let millis = |reading: &TableReading| (reading.elapsed.as_secs_f64() * 1e5).round() / 1e2;
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(readings.iter().map(|reading| Some(reading.table.as_str())).collect::<StringArray>()),
            numbers(|reading| reading.rows),
            numbers(|reading| reading.added),
            numbers(|reading| reading.modified),
            numbers(|reading| reading.ended),
            Arc::new(readings.iter().map(millis).collect::<Float64Array>()),
            numbers(|reading| reading.warnings.len() as u64),
        ],
    )
}
