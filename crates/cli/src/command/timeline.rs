//! `indago timeline`

use std::process::ExitCode;

use arrow_schema::SchemaRef;
use indago::QueryOptions;
use indago_shell::{PageFile, RowSink};

use crate::arguments::{Common, Timeline};
use crate::command::query::stdout_sink;
use crate::exit::{self, Result};
use crate::{interrupt, setup};

pub(crate) async fn run(common: &Common, arguments: Timeline) -> Result {
    let config = setup::config(common, Some(&arguments.limits))?;
    let engine = setup::engine(&config).await?;
    // An empty time is an open end.
    let options = QueryOptions { strict: config.sql.strict, ..QueryOptions::default() }
        .bind("entity", arguments.entity.as_str())
        .bind("start", arguments.from.as_deref().unwrap_or_default())
        .bind("end", arguments.to.as_deref().unwrap_or_default());
    let sql = "SELECT * FROM timeline($entity, $start, $end)";
    let style = arguments.output.style()?;
    let sink = |schema: &SchemaRef| -> std::io::Result<Box<dyn RowSink>> {
        Ok(match &arguments.html {
            Some(file) => Box::new(PageFile::create(file, &arguments.entity, schema)?),
            None => stdout_sink(setup::format(arguments.output.chosen()), schema, style),
        })
    };
    let cancel = interrupt::interrupted();
    let (summary, result) = Box::pin(indago_shell::execute(&engine, sql, options, sink, || true, cancel)).await;
    indago_shell::print_warnings(&summary.warnings);
    let Err(failure) = result else { return Ok(ExitCode::SUCCESS) };
    if !failure.is_closed_pipe() {
        // The user wrote no SQL, so the error shows none.
        indago_shell::print_error(&failure, None);
    }
    Ok(ExitCode::from(exit::code_of(&failure)))
}
