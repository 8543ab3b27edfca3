//! Input of the shell: a terminal with line editing, or a file or pipe.

use std::borrow::Cow;
use std::io::BufRead;
use std::path::PathBuf;

use indago::Engine;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::complete::Names;
use super::highlight::highlight;
use crate::render::colors_wanted;

/// Statements in the history file.
const HISTORY: usize = 10_000;

/// Result of reading input.
pub(crate) enum Input {
    /// One or more statements, or a dot-command.
    Text(String),
    /// Ctrl-C: the line is cancelled.
    Interrupted,
    /// End of input.
    End,
}

/// A reader of input.
pub(crate) trait Reader {
    fn read(&mut self, engine: &Engine) -> std::io::Result<Input>;
}

/// A terminal.
pub(crate) struct Terminal {
    editor: Editor<Assistant, DefaultHistory>,
    history: Option<PathBuf>,
}

impl Terminal {
    pub(crate) fn new(engine: &Engine) -> rustyline::Result<Self> {
        let config = Config::builder()
            .max_history_size(HISTORY)?
            .history_ignore_space(true)
            .auto_add_history(false)
            .completion_type(CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Assistant {
            engine: engine.clone(),
            names: Names::of(engine),
            hinter: HistoryHinter::new(),
            color: colors_wanted(),
        }));
        let history = indago::config::data_dir().map(|folder| folder.join("history"));
        if let Some(file) = &history {
            // A missing or unreadable history is not an error.
            let _ = editor.load_history(file);
        }
        Ok(Self { editor, history })
    }
}

impl Reader for Terminal {
    fn read(&mut self, _engine: &Engine) -> std::io::Result<Input> {
        match self.editor.readline("indago> ") {
            Ok(text) => {
                let _ = self.editor.add_history_entry(text.trim());
                if let Some(file) = &self.history {
                    let made = file.parent().map(std::fs::create_dir_all).transpose();
                    if made.is_ok() {
                        let _ = self.editor.append_history(file);
                    }
                }
                Ok(Input::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Input::Interrupted),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(ReadlineError::Io(error)) => Err(error),
            Err(error) => Err(std::io::Error::other(error.to_string())),
        }
    }
}

/// A file or pipe: `;` ends a statement, and the end of the line ends a dot-command.
pub(crate) struct Lines<R>(pub(crate) R);

impl<R: BufRead> Reader for Lines<R> {
    fn read(&mut self, engine: &Engine) -> std::io::Result<Input> {
        let mut text = String::new();
        loop {
            let mut line = Vec::new();
            if self.0.read_until(b'\n', &mut line)? == 0 {
                return Ok(if text.trim().is_empty() { Input::End } else { Input::Text(text) });
            }
            text.push_str(&String::from_utf8_lossy(&line));
            if is_whole(engine, &text) {
                return Ok(Input::Text(text));
            }
        }
    }
}

/// Whether the input is complete and can run.
fn is_whole(engine: &Engine, text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('.') || engine.is_complete(text)
}

struct Assistant {
    engine: Engine,
    names: Names,
    hinter: HistoryHinter,
    color: bool,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.names.complete(line, pos))
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if !self.color {
            return Cow::Borrowed(line);
        }
        Cow::Owned(highlight(line, |word| self.names.tables.contains_key(word)))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.color
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<String> {
        self.hinter.hint(line, pos, context)
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_whole(&self.engine, context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}
