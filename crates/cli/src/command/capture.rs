//! `indago capture`

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use indago::Warning;
use indago::config::{Location, Recording};
use indago::store::{self, Report};
use indago_shell::{say, write_batch};

use crate::arguments::{Capture, Common};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) async fn run(common: &Common, arguments: Capture) -> Result {
    let mut config = setup::config(common, Some(&arguments.limits))?;
    if let Some(location) = recorded(&arguments.out) {
        let tables = if arguments.tables.is_empty() { vec!["*".to_owned()] } else { arguments.tables };
        config.record.dir = location;
        config.recording = BTreeMap::from([("capture".to_owned(), Recording { tables, ..Recording::default() })]);
        return super::record::once(&config, &arguments.output).await;
    }
    let engine = setup::engine(&config).await?;
    let report = tokio::select! {
        biased;
        () = interrupt::interrupted() => return Ok(ExitCode::from(exit::INTERRUPTED)),
        report = Box::pin(indago::capture(&engine, &arguments.tables, &arguments.out)) => report,
    };
    let report = report.map_err(|error| match error {
        store::Error::UnknownTable(_) | store::Error::Keyed(_) => Error::usage(error),
        error => Error::failed(error.into()),
    })?;
    let mut missing = false;
    for table in &report.tables {
        missing |= Warning::any_missing(&table.warnings);
    }
    indago_shell::print_warnings(report.tables.iter().flat_map(|table| &table.warnings));
    if !report.skipped.is_empty() {
        let (count, names) = (report.skipped.len(), report.skipped.join(", "));
        say(format_args!("note: {count} tables need constraints on their key columns and are not captured: {names}"));
    }
    let batch = batch(&report).map_err(|error| Error::failed(error.into()))?;
    write_batch(&batch, setup::format(arguments.output.chosen()), arguments.output.style()?, &mut Output)?;
    Ok(if missing && config.sql.strict { ExitCode::from(exit::INCOMPLETE) } else { ExitCode::SUCCESS })
}

/// The location of recorded tables, to which a capture adds a reading: a directory that a recorder wrote, or an object
/// store.
fn recorded(out: &Path) -> Option<Location> {
    let location = Location(out.to_string_lossy().into_owned());
    (location.is_url() || store::is_recorded(out)).then_some(location)
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
