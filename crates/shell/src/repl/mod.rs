//! The interactive shell.

pub(crate) mod complete;
mod highlight;
mod input;

use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::path::Path;

use indago::{Engine, QueryOptions};
use tokio::runtime::Handle;

use crate::command;
use crate::execute::{Failure, Summary, execute};
use crate::format::Format;
use crate::render::{Style, row_writer};
use crate::report::{self, Within};
use input::{Input, Lines, Reader, Terminal};

/// Settings of the shell.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Output format.
    pub format: Format,
    /// Options of queries.
    pub options: QueryOptions,
    /// Show rows and time after each statement.
    pub timer: bool,
    /// Show what each scan read.
    pub stats: bool,
    /// Show the SQL that was planned.
    pub rewritten: bool,
}

/// The shell: an engine, settings, and the output of rows.
pub struct Shell {
    pub(crate) engine: Engine,
    pub(crate) runtime: Handle,
    pub(crate) settings: Settings,
    pub(crate) style: Style,
    pub(crate) out: Box<dyn Write + Send>,
    /// Whether rows go to the initial output rather than to a file of `.output`.
    pub(crate) redirected: bool,
    /// Summary of the last statement.
    pub(crate) last: Summary,
    /// Nesting depth of `.read`.
    pub(crate) depth: usize,
    pub(crate) failed: bool,
    interactive: bool,
}

impl std::fmt::Debug for Shell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Shell {
    /// A shell that writes rows to `out`.
    pub fn new(
        engine: Engine,
        runtime: Handle,
        settings: Settings,
        style: Style,
        out: impl Write + Send + 'static,
    ) -> Self {
        Self {
            engine,
            runtime,
            settings,
            style,
            out: Box::new(out),
            redirected: false,
            last: Summary::default(),
            depth: 0,
            failed: false,
            interactive: false,
        }
    }

    /// Reads from the terminal until the user quits.
    pub fn interact(mut self) -> io::Result<()> {
        self.interactive = true;
        let mut terminal = Terminal::new(&self.engine).map_err(|error| io::Error::other(error.to_string()))?;
        report::say(format_args!(
            "Indago {}: SQL over this machine and the systems it can reach. `.help` lists commands, `.quit` quits.",
            env!("CARGO_PKG_VERSION")
        ));
        self.read_from(&mut terminal)
    }

    /// Runs statements and dot-commands from a file or pipe. Returns whether all of them succeeded.
    pub fn run_lines(mut self, lines: impl BufRead) -> io::Result<bool> {
        self.read_from(&mut Lines(lines))?;
        Ok(!self.failed)
    }

    fn read_from(&mut self, reader: &mut dyn Reader) -> io::Result<()> {
        loop {
            match reader.read(&self.engine)? {
                Input::End => return Ok(()),
                Input::Interrupted => {}
                Input::Text(text) => {
                    if self.run(&text)?.is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Runs a dot-command or statements.
    pub(crate) fn run(&mut self, text: &str) -> io::Result<ControlFlow<()>> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        if text.starts_with('.') {
            return command::run(self, text);
        }
        self.run_sql(text)
    }

    /// Runs a file of statements and dot-commands.
    pub(crate) fn run_file(&mut self, file: &Path) -> io::Result<ControlFlow<()>> {
        let file = std::fs::File::open(file)?;
        self.read_from(&mut Lines(io::BufReader::new(file)))?;
        Ok(ControlFlow::Continue(()))
    }

    pub(crate) fn run_sql(&mut self, sql: &str) -> io::Result<ControlFlow<()>> {
        let statements = match self.engine.split(sql) {
            Ok(statements) => statements,
            Err(error) => {
                self.fail(&Failure::Query(error), None);
                return Ok(ControlFlow::Continue(()));
            }
        };
        for statement in statements {
            if !self.run_statement(&statement.sql, Within { text: sql, offset: statement.offset })? {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn run_statement(&mut self, sql: &str, within: Within<'_>) -> io::Result<bool> {
        let mut options = self.settings.options.clone();
        if !options.parameters.is_empty() {
            // Parameters stay set for later statements, which need not use all of them.
            let names = self.engine.parameters(sql);
            options.parameters.retain(|name, _| names.contains(name));
        }
        let (format, style, out) = (self.settings.format, self.style, &mut self.out);
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let (summary, result) = self.runtime.block_on(execute(
            &self.engine,
            sql,
            options,
            |schema| Ok(row_writer(format, schema.clone(), out, style)),
            self.interactive,
            interrupt,
        ));
        self.last = summary;
        let summary = &self.last;
        report::print_warnings(&summary.warnings);
        if self.settings.rewritten {
            report::print_rewritten(summary);
        }
        if self.settings.stats {
            report::print_stats(summary);
        } else if self.settings.timer && result.is_ok() {
            report::say(report::count_line(summary).trim_end());
        }
        match result {
            Ok(()) => Ok(true),
            Err(failure) if failure.is_closed_pipe() => Err(io::ErrorKind::BrokenPipe.into()),
            Err(failure) => {
                self.fail(&failure, Some(within));
                Ok(false)
            }
        }
    }

    fn fail(&mut self, failure: &Failure, within: Option<Within<'_>>) {
        self.failed = true;
        report::print_error(failure, within);
    }

    /// Reports an error in a dot-command.
    pub(crate) fn complain(&mut self, message: impl std::fmt::Display) {
        self.failed = true;
        report::say(format_args!("error: {message}"));
    }
}
