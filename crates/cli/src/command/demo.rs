//! `indago demo`

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use arrow_schema::SchemaRef;
use indago::QueryOptions;
use indago_shell::{Format, say};

use super::query::stdout_sink;
use crate::arguments::Demo;
use crate::exit::{self, Error, Result};
use crate::interrupt;
use crate::output::Output;

/// Printed before the first query.
const OPENING: &str = "\
A small company: a Kubernetes cluster, two AWS accounts, a few containers, two repositories.
Somebody broke in. Each question below is one SQL query over the tables that Indago captured there.
";

/// Printed after the last query.
const CLOSING: &str = "\
You can run the same queries on your own machine, clusters and accounts, with `indago query` or in the shell.

  indago demo --shell                   query the data of the demo
  indago                                the shell: .tables lists the tables
  indago tables processes               the columns of a table
  indago pack run queries/forensics     all of these queries, in a checkout of Indago's source
";

pub(crate) async fn run(arguments: Demo) -> Result {
    let format = arguments.output.chosen().unwrap_or(Format::Table);
    let style = arguments.output.style()?;
    // Formats for programs get the rows only.
    let is_for_people = matches!(format, Format::Table | Format::Line | Format::Markdown);
    let tell = |text: fmt::Arguments<'_>| match is_for_people {
        true => writeln!(Output, "{text}"),
        false => {
            say(text);
            Ok(())
        }
    };
    let engine = Box::pin(indago::demo_engine()).await.map_err(|error| Error::failed(error.into()))?;
    tell(format_args!("{OPENING}"))?;
    let queries = indago::demo_queries().map_err(|error| Error::failed(error.into()))?;
    for (index, query) in queries.iter().enumerate() {
        let (bold, dim, plain) = if style.color { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let question = query.description.as_deref().unwrap_or_default();
        tell(format_args!("{bold}{}/{}  {question}{plain}\n", index + 1, queries.len()))?;
        for line in query.statement().lines() {
            tell(format_args!("  {dim}{line}{plain}"))?;
        }
        tell(format_args!(""))?;
        let sink = |schema: &SchemaRef| Ok(stdout_sink(format, schema, style));
        let (summary, result) = Box::pin(indago_shell::execute(
            &engine,
            query.statement(),
            QueryOptions::default(),
            sink,
            || true,
            interrupt::interrupted(),
        ))
        .await;
        indago_shell::print_warnings(&summary.warnings);
        if let Err(failure) = result {
            if !failure.is_closed_pipe() {
                indago_shell::print_error(&failure, None);
            }
            return Ok(ExitCode::from(exit::code_of(&failure)));
        }
        tell(format_args!(""))?;
    }
    tell(format_args!("{}", CLOSING.trim_end()))?;
    Ok(ExitCode::SUCCESS)
}
