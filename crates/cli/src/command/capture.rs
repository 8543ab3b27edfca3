//! `indago capture`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::Warning;
use indago::config::{Config, Location, Recording};
use indago::store::{self, Report};
use indago_shell::{Style, say, write_batch};

use crate::arguments::{Capture, Common};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) async fn run(common: &Common, arguments: Capture) -> Result {
    let style = arguments.output.style()?;
    let mut config = setup::config(common, Some(&arguments.limits))?;
    let location = Location(arguments.out.to_string_lossy().into_owned());
    if arguments.parquet {
        return files(&config, &location, arguments, style).await;
    }
    if let Some(dir) = config.store.dir.as_ref().filter(|dir| store::is_recorded(dir)) {
        let message = "its tables are recorded, and a capture would have the time of the copy; copy the directory";
        return Err(Error::usage(anyhow::anyhow!("{}: {message}", dir.display())));
    }
    if !location.is_url() && !store::is_recorded(&arguments.out) && store::has_files(&arguments.out).map_err(failed)? {
        return Err(Error::failed(anyhow::anyhow!(
            "{}: this directory has Parquet files of tables, and recorded tables cannot be next to them; use another \
             directory",
            arguments.out.display()
        )));
    }
    let engine = setup::engine(&config).await?;
    let (tables, skipped) = store::tables_to_capture(&engine, &arguments.tables).await.map_err(failed)?;
    note_skipped(&skipped);
    config.record.dir = location;
    config.recording = BTreeMap::from([("capture".to_owned(), Recording { tables, ..Recording::default() })]);
    super::record::once(engine, &config, arguments.output.chosen(), style).await
}

/// Writes one Parquet file per table.
async fn files(config: &Config, location: &Location, arguments: Capture, style: Style) -> Result {
    if store::is_recorded(&arguments.out) || location.is_url() {
        return Err(Error::usage(anyhow::anyhow!(
            "{}: --parquet writes files into a new directory; leave it out to add a reading to recorded tables",
            arguments.out.display()
        )));
    }
    let engine = setup::engine(config).await?;
    let report = tokio::select! {
        biased;
        () = interrupt::interrupted() => return Ok(ExitCode::from(exit::INTERRUPTED)),
        report = Box::pin(indago::capture(&engine, &arguments.tables, &arguments.out)) => report,
    };
    let report = report.map_err(failed)?;
    let mut missing = false;
    for table in &report.tables {
        missing |= Warning::any_missing(&table.warnings);
    }
    indago_shell::print_warnings(report.tables.iter().flat_map(|table| &table.warnings));
    note_skipped(&report.skipped);
    let batch = batch(&report).map_err(|error| Error::failed(error.into()))?;
    write_batch(&batch, setup::format(arguments.output.chosen()), style, &mut Output)?;
    Ok(if missing && config.sql.strict { ExitCode::from(exit::INCOMPLETE) } else { ExitCode::SUCCESS })
}

fn failed(error: store::Error) -> Error {
    match error {
        store::Error::UnknownTable(_) | store::Error::Keyed(_) => Error::usage(error),
        error => Error::failed(error.into()),
    }
}

fn note_skipped(skipped: &[String]) {
    if !skipped.is_empty() {
        let (count, names) = (skipped.len(), skipped.join(", "));
        say(format_args!("note: {count} tables need constraints on their key columns and are not captured: {names}"));
    }
}

/// One row per written table.
fn batch(report: &Report) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let fields = vec![
        Field::new("table", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("bytes", DataType::UInt64, false),
        Field::new("time_ms", DataType::Float64, false),
        Field::new("warnings", DataType::UInt64, false),
        Field::new("file", DataType::Utf8, false),
    ];
    let tables = &report.tables;
    let millis = |seconds: f64| (seconds * 1e5).round() / 1e2;
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(tables.iter().map(|table| Some(table.table.as_str())).collect::<StringArray>()),
            Arc::new(tables.iter().map(|table| table.rows).collect::<UInt64Array>()),
            Arc::new(tables.iter().map(|table| table.bytes).collect::<UInt64Array>()),
            Arc::new(tables.iter().map(|table| millis(table.elapsed.as_secs_f64())).collect::<Float64Array>()),
            Arc::new(tables.iter().map(|table| table.warnings.len() as u64).collect::<UInt64Array>()),
            Arc::new(tables.iter().map(|table| Some(table.path.display().to_string())).collect::<StringArray>()),
        ],
    )
}
