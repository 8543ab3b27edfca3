//! `indago demo`

use std::io::{self, Write};
use std::process::ExitCode;

use arrow_schema::SchemaRef;
use indago::QueryOptions;
use indago_shell::{Format, Style};

use super::query::stdout_sink;
use crate::arguments::Demo;
use crate::exit::{self, Error, Result};
use crate::interrupt;

/// Said before the first question.
const OPENING: &str = "\
A small company: a Kubernetes cluster, two AWS accounts, a few containers, two repositories.
Somebody broke in. Each question below is one SQL query over tables that Indago captured there.
";

/// Said after the last.
const CLOSING: &str = "\
The same questions, asked of your own machine, clusters and accounts:

  indago pack run queries/forensics     run them live, once
  indago                                the shell: .tables lists what can be asked
  indago tables processes               what a table has
";

pub(crate) async fn run(arguments: Demo) -> Result {
    let format = arguments.format.unwrap_or(Format::Table);
    let style = Style::of_stdout();
    // A format for programs gets the rows alone.
    let mut tell: Box<dyn Write> = match format {
        Format::Table | Format::Line | Format::Markdown => Box::new(io::stdout()),
        _ => Box::new(io::stderr()),
    };
    let engine = Box::pin(indago::demo_engine()).await.map_err(|error| Error::failed(error.into()))?;
    writeln!(tell, "{OPENING}")?;
    let queries = indago::demo_queries().map_err(|error| Error::failed(error.into()))?;
    for (index, query) in queries.iter().enumerate() {
        let (bold, dim, plain) = if style.color { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        writeln!(
            tell,
            "{bold}{}/{}  {}{plain}\n",
            index + 1,
            queries.len(),
            query.description.as_deref().unwrap_or_default()
        )?;
        for line in query.statement().lines() {
            writeln!(tell, "  {dim}{line}{plain}")?;
        }
        writeln!(tell)?;
        let sink = |schema: &SchemaRef| Ok(stdout_sink(format, schema, style));
        let (summary, result) = Box::pin(indago_shell::execute(
            &engine,
            query.statement(),
            QueryOptions::default(),
            sink,
            true,
            interrupt::interrupted(),
        ))
        .await;
        indago_shell::print_warnings(&summary.warnings);
        if let Err(failure) = result {
            if !failure.is_closed_pipe() {
                indago_shell::print_error(&failure);
            }
            return Ok(ExitCode::from(exit::code_of(&failure)));
        }
        writeln!(tell)?;
    }
    write!(tell, "{CLOSING}")?;
    Ok(ExitCode::SUCCESS)
}
