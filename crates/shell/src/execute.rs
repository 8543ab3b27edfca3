//! Runs one statement: rows to a sink as they arrive, progress meanwhile, cancellation at any time.

use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use arrow_schema::SchemaRef;
use futures::StreamExt;
use indago::{Code, Engine, Query, QueryOptions, ScanStats, Warning};

use crate::lex::{Kind, tokens};
use crate::progress::Progress;
use crate::render::RowSink;
use crate::text::visible_lines;

/// Interval between updates of the progress line.
const TICK: Duration = Duration::from_millis(200);

/// Summary of a statement that ran.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Number of result rows.
    pub rows: u64,
    /// Run time.
    pub elapsed: Duration,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// Statistics of its scans.
    pub scans: Vec<ScanStats>,
    /// The SQL that was planned, if the dialect changed it.
    pub rewritten: Option<String>,
}

/// Why a statement did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The query failed.
    #[error(transparent)]
    Query(#[from] indago::Error),
    /// The rows could not be written.
    #[error("cannot write the rows: {0}")]
    Write(#[from] io::Error),
    /// The user cancelled it.
    #[error("cancelled")]
    Cancelled,
}

impl Failure {
    /// Whether the reader of the rows closed the pipe, which is not our error.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Runs one statement, like `execute_if`, without asking.
pub async fn execute<'a>(
    engine: &Engine,
    sql: &str,
    options: QueryOptions,
    sink: impl FnOnce(&SchemaRef) -> io::Result<Box<dyn RowSink + 'a>>,
    progress: impl Fn() -> bool,
    cancel: impl Future<Output = ()>,
) -> (Summary, Result<(), Failure>) {
    execute_if(engine, sql, options, |_| true, sink, progress, cancel).await
}

/// Runs one statement if `confirm` accepts its plan. `sink` is called when the first batch arrives, so a query that fails immediately writes nothing.
/// When `cancel` completes, the query is cancelled. Progress is shown while `progress` returns true.
pub(crate) async fn execute_if<'a>(
    engine: &Engine,
    sql: &str,
    options: QueryOptions,
    confirm: impl FnOnce(&Query) -> bool,
    sink: impl FnOnce(&SchemaRef) -> io::Result<Box<dyn RowSink + 'a>>,
    progress: impl Fn() -> bool,
    cancel: impl Future<Output = ()>,
) -> (Summary, Result<(), Failure>) {
    let began = Instant::now();
    let mut summary = Summary::default();
    let mut cancel = pin!(cancel);
    let mut progress = Progress::new(progress);
    let result = {
        let planning = Box::pin(engine.query_with(sql, options));
        let planned = tokio::select! {
            biased;
            () = &mut cancel => Err(Failure::Cancelled),
            query = planning => query.map_err(Failure::from),
        };
        match planned {
            Ok(query) if !confirm(&query) => Err(Failure::Cancelled),
            Ok(query) => {
                let mut output = None;
                let result = tokio::select! {
                    biased;
                    () = &mut cancel => Err(Failure::Cancelled),
                    result = Box::pin(pump(&query, sink, &mut output, &mut summary, &mut progress, began)) => result,
                };
                if let Some(mut output) = output {
                    // The original failure is the error to report.
                    let _ = output.abandon();
                }
                summary.warnings = query.warnings();
                summary.scans = query.scans();
                summary.rewritten = query.rewritten().map(ToString::to_string);
                result
            }
            Err(failure) => Err(failure),
        }
    };
    progress.clear();
    summary.elapsed = began.elapsed();
    (summary, result)
}

/// The query of a plain `EXPLAIN`, at its place in the text; `None` for other statements, and for `EXPLAIN` with options.
pub fn explained(sql: &str) -> Option<String> {
    let mut tokens = tokens(sql).into_iter().filter(|token| token.kind != Kind::Comment);
    let explain = tokens.next().filter(|token| token.is("EXPLAIN"))?;
    let mut next = tokens.next()?;
    // As SQLite spells it.
    if next.is("QUERY") {
        next = tokens.next().filter(|token| token.is("PLAN")).and_then(|_| tokens.next())?;
    }
    let is_option = ["ANALYZE", "VERBOSE", "FORMAT"].iter().any(|option| next.is(option)) || next.is_sign("(");
    let blanks = sql[explain.start..next.start].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' });
    let blanks: String = blanks.collect();
    (!is_option).then(|| format!("{}{blanks}{}", &sql[..explain.start], &sql[next.start..]))
}

/// Writes the plan of a query as a tree: `EXPLAIN` for people.
pub async fn explain(
    engine: &Engine,
    sql: &str,
    options: QueryOptions,
    out: &mut dyn Write,
    cancel: impl Future<Output = ()>,
) -> (Summary, Result<(), Failure>) {
    let began = Instant::now();
    let mut summary = Summary::default();
    let planned = tokio::select! {
        biased;
        () = cancel => Err(Failure::Cancelled),
        query = Box::pin(engine.query_with(sql, options)) => query.map_err(Failure::from),
    };
    let result = planned.and_then(|query| {
        summary.warnings = query.warnings();
        summary.rewritten = query.rewritten().map(ToString::to_string);
        out.write_all(visible_lines(&query.plan_tree()).as_bytes()).and_then(|()| out.flush()).map_err(Failure::from)
    });
    summary.elapsed = began.elapsed();
    (summary, result)
}

/// Writes the rows to the sink. If the sink still exists afterwards, its output is not finished.
async fn pump<'a>(
    query: &Query,
    sink: impl FnOnce(&SchemaRef) -> io::Result<Box<dyn RowSink + 'a>>,
    output: &mut Option<Box<dyn RowSink + 'a>>,
    summary: &mut Summary,
    progress: &mut Progress<impl Fn() -> bool>,
    began: Instant,
) -> Result<(), Failure> {
    let schema = query.schema();
    let mut batches = query.stream();
    let mut make = Some(sink);
    let mut ticks = tokio::time::interval_at((began + TICK).into(), TICK);
    let result = loop {
        let batch = tokio::select! {
            biased;
            batch = batches.next() => batch,
            _ = ticks.tick(), if progress.is_on() => {
                progress.show(&query.scans(), summary.rows, began.elapsed());
                continue;
            }
        };
        match batch {
            None => break Ok(()),
            Some(Err(error)) => break Err(error),
            Some(Ok(batch)) => {
                progress.clear();
                summary.rows += batch.num_rows() as u64;
                let sink = match output {
                    Some(sink) => sink,
                    None => output.insert(make.take().map(|make| make(&schema)).transpose()?.ok_or_else(broken)?),
                };
                sink.batch(&batch)?;
            }
        }
    };
    progress.clear();
    // Rows that arrived are valid even if others are missing, so the output is finished.
    let whole = result.as_ref().err().is_none_or(|error| error.code() == Code::Incomplete);
    if whole {
        if output.is_none() && !schema.fields().is_empty() {
            *output = make.take().map(|make| make(&schema)).transpose()?;
        }
        if let Some(mut sink) = output.take() {
            sink.note_missing(query);
            sink.finish()?;
        }
    }
    result.map_err(Failure::from)
}

fn broken() -> io::Error {
    io::Error::other("the output was started twice")
}

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn a_plain_explain_is_recognized() {
        for (sql, expected) in [
            ("EXPLAIN SELECT 1", Some("        SELECT 1")),
            ("-- why\nexplain query plan\nSELECT 1", Some("-- why\n                  \nSELECT 1")),
            (
                "EXPLAIN /* no */ WITH a AS (SELECT 1) SELECT * FROM a",
                Some("                 WITH a AS (SELECT 1) SELECT * FROM a"),
            ),
            ("EXPLAIN ANALYZE SELECT 1", None),
            ("EXPLAIN VERBOSE SELECT 1", None),
            ("EXPLAIN FORMAT tree SELECT 1", None),
            ("EXPLAIN", None),
            ("SELECT 'EXPLAIN'", None),
        ] {
            assert_eq!(explained(sql).as_deref(), expected, "{sql}");
        }
    }
}
