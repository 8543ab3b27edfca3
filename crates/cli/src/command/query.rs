//! `indago query`

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use indago::QueryOptions;
use indago_shell::{ArrowFile, Failure, Format, ParquetFile, RowSink, STDIN, Style, Within, row_writer};

use crate::arguments::{Common, Query};
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) async fn run(common: &Common, arguments: Query) -> Result {
    let config = setup::config(common, Some(&arguments.limits))?;
    let (sql, file) = read_sql(&arguments)?;
    let file = file.as_deref().map(|file| (file, 0));
    let files = [&arguments.arrow, &arguments.parquet];
    if arguments.arrow.is_some() && arguments.arrow == arguments.parquet {
        return Err(Error::usage(anyhow::anyhow!("--arrow and --parquet name the same file; write to two files")));
    }
    if files.into_iter().flatten().any(|file| is_stdout(file)) {
        if arguments.output.chosen().is_some() {
            return Err(Error::usage(anyhow::anyhow!("`-` and --format both write to standard output; omit one")));
        }
        if io::stdout().is_terminal() {
            let message =
                "standard output is a terminal; redirect it to a file or pipe, or name a file in place of `-`";
            return Err(Error::usage(anyhow::anyhow!(message)));
        }
    }
    let engine = setup::engine_with_files(&config).await?;
    engine.set_as_of(arguments.past.as_of);
    let options = QueryOptions { strict: config.sql.strict, ..QueryOptions::default() };
    let statements = engine.split(&sql).map_err(|error| Error::failed(Failure::Query(error).into()))?;
    if statements.is_empty() {
        return Err(Error::usage(anyhow::anyhow!("there is no SQL statement in the input")));
    }
    let writes_files = files.into_iter().any(Option::is_some);
    if statements.len() > 1 && writes_files {
        let message = "--arrow and --parquet write the rows of one statement; the input has several";
        return Err(Error::usage(anyhow::anyhow!(message)));
    }
    let mut parameters: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in &arguments.parameters {
        if parameters.insert(name, value).is_some() {
            return Err(Error::usage(anyhow::anyhow!("--param gives `{name}` two values; give it one")));
        }
    }
    let named: Vec<_> = statements.iter().map(|statement| engine.parameters(&statement.sql)).collect();
    if let Some(unused) = parameters.keys().find(|name| !named.iter().any(|names| names.contains(**name))) {
        let help = match sql.contains(&format!("${unused}")) {
            true => "it stands for a value: not for the name of a table or column, and not within quotes".to_owned(),
            false => format!("write `${unused}` where its value belongs"),
        };
        let message = format!("no statement has a parameter `${unused}`; {help}");
        return Err(Error::usage(anyhow::anyhow!(message)));
    }
    let style = arguments.output.style()?;
    let shows_plans = !writes_files && setup::format(arguments.output.chosen()) == Format::Table;
    let separated = !writes_files && setup::format(arguments.output.chosen()) == Format::Markdown;
    for (index, (statement, names)) in statements.into_iter().zip(named).enumerate() {
        let own = parameters.iter().filter(|(name, _)| names.contains(**name));
        let options = own.fold(options.clone(), |options, (name, value)| options.bind(name, *value));
        let cancel = interrupt::interrupted();
        let (summary, result) = match indago_shell::explained(&statement.sql).filter(|_| shows_plans) {
            Some(inner) => Box::pin(indago_shell::explain(&engine, &inner, options, &mut Output, cancel)).await,
            None => {
                let sink = |schema: &SchemaRef| {
                    if separated && index > 0 {
                        writeln!(Output)?;
                    }
                    sinks(&arguments, schema, style)
                };
                Box::pin(indago_shell::execute(&engine, &statement.sql, options, sink, || true, cancel)).await
            }
        };
        indago_shell::print_warnings(&summary.warnings);
        if arguments.rewritten {
            indago_shell::print_rewritten(&summary);
        }
        if arguments.stats {
            indago_shell::print_stats(&summary);
        }
        if let Err(failure) = result {
            let code = exit::code_of(&failure);
            if !failure.is_closed_pipe() {
                indago_shell::print_error(&failure, Some(Within { text: &sql, offset: statement.offset, file }));
            }
            return Ok(ExitCode::from(code));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The SQL, and the file that it is from.
fn read_sql(arguments: &Query) -> Result<(String, Option<String>)> {
    let from_stdin = || Ok((standard_input()?, Some(STDIN.to_owned())));
    match (&arguments.sql, &arguments.file) {
        (Some(sql), _) if sql == "-" => from_stdin(),
        (Some(sql), _) => Ok((sql.clone(), None)),
        (None, Some(file)) if file != Path::new("-") => {
            let bytes = std::fs::read(file)
                .map_err(|error| Error::usage(anyhow::anyhow!("cannot read {}: {error}", file.display())))?;
            let name = file.display().to_string();
            Ok((text(bytes, &name)?, Some(name)))
        }
        (None, file) => {
            if file.is_none() && io::stdin().is_terminal() {
                let message = "no SQL; pass it as an argument, with -f FILE, or on standard input";
                return Err(Error::usage(anyhow::anyhow!(message)));
            }
            from_stdin()
        }
    }
}

/// Reads standard input to its end, as text.
pub(crate) fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    text(bytes, "standard input")
}

pub(crate) fn text(mut bytes: Vec<u8>, from: &str) -> Result<String> {
    // Editors on Windows write a byte order mark first.
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..'\u{feff}'.len_utf8());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to() + 1;
        Error::usage(anyhow::anyhow!("{from} is not UTF-8 text (byte {at} is not)"))
    })
}

/// Sinks for the named files, and for standard output if a format was given or no file was named.
fn sinks(arguments: &Query, schema: &SchemaRef, style: Style) -> io::Result<Box<dyn RowSink>> {
    let mut sinks: Vec<Box<dyn RowSink>> = Vec::new();
    if let Some(file) = &arguments.arrow {
        sinks.push(match is_stdout(file) {
            true => Box::new(ArrowFile::to(Output, schema)?),
            false => Box::new(ArrowFile::create(file, schema)?),
        });
    }
    if let Some(file) = &arguments.parquet {
        sinks.push(match is_stdout(file) {
            true => Box::new(ParquetFile::to(Output, schema)?),
            false => Box::new(ParquetFile::create(file, schema)?),
        });
    }
    let chosen = arguments.output.chosen();
    if sinks.is_empty() || chosen.is_some() {
        sinks.push(stdout_sink(setup::format(chosen), schema, style));
    }
    Ok(if sinks.len() == 1 { sinks.remove(0) } else { Box::new(Several(sinks)) })
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// A sink for standard output.
pub(crate) fn stdout_sink(format: Format, schema: &SchemaRef, style: Style) -> Box<dyn RowSink> {
    row_writer(format, schema.clone(), Output, style)
}

struct Several(Vec<Box<dyn RowSink>>);

impl RowSink for Several {
    fn batch(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|sink| sink.batch(batch))
    }

    fn note_missing(&mut self, query: &indago::Query) {
        self.0.iter_mut().for_each(|sink| sink.note_missing(query));
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|sink| sink.finish())
    }

    fn abandon(&mut self) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|sink| sink.abandon())
    }
}
