//! The interactive shell.

pub(crate) mod complete;
mod highlight;
mod input;

use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use arrow_schema::SchemaRef;
use indago::{Engine, Query, QueryOptions};
use tokio::runtime::Handle;

use crate::command;
use crate::execute::{Failure, Summary, execute_if, explain, explained};
use crate::format::Format;
use crate::pager::{self, Out};
use crate::render::{Style, row_writer};
use crate::report::{self, STDIN, Within};
use crate::text::visible;
use input::{Input, Lines, Quiet, Reader, Terminal, confirms};

/// Estimated API calls from which the shell asks before it runs a statement.
const MANY_CALLS: usize = 10_000;

/// Settings of the shell.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Output format.
    pub format: Format,
    /// Format of lists of tables and functions: `None` for plain text.
    pub listing: Option<Format>,
    /// Options of queries.
    pub options: QueryOptions,
    /// Show rows and time after each statement.
    pub timer: bool,
    /// Show what each scan read.
    pub stats: bool,
    /// Show the SQL that was planned.
    pub rewritten: bool,
    /// Show long results in a pager, on a terminal.
    pub pager: bool,
    /// What the engine reads, for `.show`: the configuration, the store.
    pub origin: Vec<(&'static str, String)>,
}

/// The shell: an engine, settings, and the output of rows.
pub struct Shell {
    pub(crate) engine: Engine,
    pub(crate) runtime: Handle,
    pub(crate) settings: Settings,
    pub(crate) style: Style,
    pub(crate) out: Out,
    /// Whether rows go to a file of `.output` rather than to the initial output.
    pub(crate) redirected: bool,
    /// Summary of the last statement.
    pub(crate) last: Summary,
    /// Nesting depth of `.read`.
    pub(crate) depth: usize,
    pub(crate) failed: bool,
    /// The file that is read and the number of lines before the current input; `None` for a terminal.
    file: Option<(String, usize)>,
    /// Whether rows were written as Markdown, so that the next table needs a blank line before it.
    wrote_markdown: bool,
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
            out: Out::new(Box::new(out)),
            redirected: false,
            last: Summary::default(),
            depth: 0,
            failed: false,
            file: None,
            wrote_markdown: false,
            interactive: false,
        }
    }

    /// Reads from the terminal until the user quits.
    pub fn interact(mut self) -> io::Result<()> {
        self.interactive = true;
        let _quiet = Quiet::new();
        let mut terminal = Terminal::new(&self.engine).map_err(|error| io::Error::other(error.to_string()))?;
        report::say(format_args!(
            "Indago {}: SQL over this machine and the systems it can reach. `.tables` lists tables, `.help` commands.",
            env!("CARGO_PKG_VERSION")
        ));
        self.read_from(&mut terminal, None)
    }

    /// Runs statements and dot-commands from a file or pipe. Returns whether all of them succeeded.
    pub fn run_lines(mut self, lines: impl BufRead) -> io::Result<bool> {
        self.read_from(&mut Lines::new(lines), Some(STDIN))?;
        Ok(!self.failed)
    }

    fn read_from(&mut self, reader: &mut dyn Reader, file: Option<&str>) -> io::Result<()> {
        let outer = self.file.take();
        let read = loop {
            match reader.read(&self.engine) {
                Err(error) => break Err(error),
                Ok(Input::End) => break Ok(()),
                Ok(Input::Interrupted) => {}
                Ok(Input::Text(text, before)) => {
                    self.file = file.map(|file| (file.to_owned(), before));
                    match self.run(&text) {
                        Ok(ControlFlow::Continue(())) => {}
                        done => break done.map(drop),
                    }
                }
            }
        };
        self.file = outer;
        read
    }

    /// Runs a dot-command or statements.
    pub(crate) fn run(&mut self, text: &str) -> io::Result<ControlFlow<()>> {
        let all = text.trim_end();
        let text = all.trim_start();
        if text.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some((_, before)) = &mut self.file {
            *before += all[..all.len() - text.len()].matches('\n').count();
        }
        // The terminal may have another size now.
        if self.interactive && !self.redirected {
            self.style = self.style.again();
        }
        if command::is_command(text) {
            self.begin_output();
            let result = command::run(self, text);
            let paged = self.out.end()?;
            return match result {
                // The user left the pager before the end.
                Err(error) if paged && error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Continue(())),
                result => result,
            };
        }
        if let Some(error) = command::neither(text) {
            self.complain(error);
            return Ok(ControlFlow::Continue(()));
        }
        self.run_sql(text)
    }

    /// What is written next goes to a pager if it is longer than the screen.
    fn begin_output(&mut self) {
        if !self.interactive || !self.settings.pager || self.redirected {
            return;
        }
        let rows = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_row));
        // A pager would take input that waits for the prompt.
        let has_input = rustix::io::ioctl_fionread(io::stdin()).is_ok_and(|waiting| waiting > 0);
        if rows > 1 && !has_input {
            self.out.begin(pager::command().ok(), rows);
        }
    }

    /// Runs a file of statements and dot-commands.
    pub(crate) fn run_file(&mut self, file: &Path) -> io::Result<ControlFlow<()>> {
        let name = file.display().to_string();
        let file = std::fs::File::open(file)?;
        self.read_from(&mut Lines::new(io::BufReader::new(file)), Some(&name))?;
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
        let file = self.file.clone();
        let file = file.as_ref().map(|(file, before)| (file.as_str(), *before));
        for statement in statements {
            if !self.run_statement(&statement.sql, Within { text: sql, offset: statement.offset, file })? {
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
        self.begin_output();
        let (format, style, out) = (self.settings.format, self.style, &mut self.out);
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let plan = explained(sql).filter(|_| format == Format::Table);
        let has_rows = plan.is_none();
        let ran = match plan {
            Some(inner) => self.runtime.block_on(explain(&self.engine, &inner, options, out, interrupt)),
            None => {
                let (interactive, paging) = (self.interactive, out.paging());
                let progress = || interactive && !paging.load(Ordering::Relaxed);
                let wrote_markdown = self.wrote_markdown;
                let sink = |schema: &SchemaRef| {
                    // A blank line between two tables.
                    let between = if wrote_markdown && format == Format::Markdown { "\n" } else { "" };
                    out.write_all(between.as_bytes()).map(|()| row_writer(format, schema.clone(), out, style))
                };
                let asks = interactive && options.max_calls.or(self.engine.limits().max_calls).is_none();
                let confirm = |query: &Query| {
                    let calls = if asks { query.estimated_calls() } else { 0 };
                    let question = || format!("This statement would make about {calls} API calls. Run it?");
                    calls < MANY_CALLS || confirms(&question())
                };
                self.runtime.block_on(execute_if(&self.engine, sql, options, confirm, sink, progress, interrupt))
            }
        };
        let (summary, result) = ran;
        let paged = self.out.end()?;
        self.wrote_markdown |= format == Format::Markdown && result.is_ok();
        self.last = summary;
        let summary = &self.last;
        report::print_warnings(&summary.warnings);
        if self.settings.rewritten {
            report::print_rewritten(summary);
        }
        if self.settings.stats {
            report::print_stats(summary);
        } else if self.settings.timer && has_rows && result.is_ok() {
            report::say(report::count_line(summary).trim_end());
        }
        match result {
            Ok(()) => Ok(true),
            // The user left the pager before the end.
            Err(failure) if failure.is_closed_pipe() && paged => Ok(true),
            Err(failure) if failure.is_closed_pipe() => Err(io::ErrorKind::BrokenPipe.into()),
            Err(failure) => {
                self.fail(&failure, Some(within));
                Ok(false)
            }
        }
    }

    /// The format of lists of tables and functions: `None` for plain lists.
    pub(crate) fn listing(&self) -> Option<Format> {
        self.settings.listing.filter(|format| *format != Format::Table)
    }

    fn fail(&mut self, failure: &Failure, within: Option<Within<'_>>) {
        self.failed = true;
        report::print_error(failure, within);
    }

    /// Reports an error in a dot-command.
    pub(crate) fn complain(&mut self, message: impl std::fmt::Display) {
        self.failed = true;
        let place = self.file.as_ref().map(|(file, before)| format!("{}:{}: ", visible(file), before + 1));
        report::say(format_args!("error: {}{message}", place.unwrap_or_default()));
    }
}
