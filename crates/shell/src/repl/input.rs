//! Input of the shell: a terminal with line editing, or a file or pipe.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{BufRead, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indago::Engine;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use rustyline::completion::{Completer, FilenameCompleter};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::complete::Names;
use super::highlight::highlight;
use crate::command::{self, Argument};
use crate::render::colors_wanted;
use crate::report::say;

/// Statements in the history file.
const HISTORY: usize = 10_000;

/// Result of reading input.
pub(crate) enum Input {
    /// One or more statements, or a dot-command; and the number of lines before it in the file or pipe.
    Text(String, usize),
    /// Ctrl-C: the line is cancelled.
    Interrupted,
    /// End of input.
    End,
}

/// A reader of input.
pub(crate) trait Reader {
    fn read(&mut self, engine: &Engine) -> std::io::Result<Input>;
}

/// Turns off the terminal's own echo and line editing while the shell runs. What the user types during a query then waits,
/// unseen and complete, for the next prompt.
pub(crate) struct Quiet(Termios);

impl Quiet {
    /// `None` if standard input is not a terminal, or one that the line editor leaves as it is.
    pub(crate) fn new() -> Option<Self> {
        if std::env::var("TERM").is_ok_and(|term| ["dumb", "cons25", "emacs"].contains(&term.as_str())) {
            return None;
        }
        let before = termios::tcgetattr(std::io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &quiet).ok()?;
        Some(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Asks on the terminal. Only the key `y` means yes. Input that is waiting was typed before the question, so it is not an answer.
pub(crate) fn confirms(question: &str) -> bool {
    if rustix::io::ioctl_fionread(std::io::stdin()).is_ok_and(|waiting| waiting > 0) {
        say(format_args!("{question} It was not run, because more input is waiting."));
        return false;
    }
    let Ok(before) = termios::tcgetattr(std::io::stdin()) else { return false };
    let mut keys = before.clone();
    // Ctrl-C is a key like others: not yes.
    keys.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    keys.special_codes[SpecialCodeIndex::VMIN] = 1;
    keys.special_codes[SpecialCodeIndex::VTIME] = 0;
    if termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &keys).is_err() {
        return false;
    }
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut key = [0];
    let read = rustix::io::read(std::io::stdin(), &mut key);
    let is_yes = read == Ok(1) && key[0].eq_ignore_ascii_case(&b'y');
    let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
    say(if is_yes { "y" } else { "n" });
    is_yes
}

const PROMPT: &str = "indago> ";
/// Prompt for the further lines of a statement.
const CONTINUATION: &str = "   ...> ";

/// A terminal.
pub(crate) struct Terminal {
    editor: Editor<Assistant, DefaultHistory>,
    history: Option<PathBuf>,
    /// Lines of a paste that were not handled yet.
    pasted: VecDeque<String>,
    /// Whether statements of a paste are not in the history file yet.
    is_behind: bool,
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
            names: Names::of(engine),
            files: FilenameCompleter::new(),
            hinter: HistoryHinter::new(),
            color: colors_wanted(),
            before: String::new(),
            keys: Keys::default(),
        }));
        let history = indago::config::data_dir().map(|folder| folder.join("history"));
        if let Some(file) = &history {
            // A missing or unreadable history is not an error.
            let _ = editor.load_history(file);
        }
        Ok(Self { editor, history, pasted: VecDeque::new(), is_behind: false })
    }

    /// One line; `before` are the lines of the statement before it. The editor returns a paste as one text.
    fn line(&mut self, before: &str) -> Result<String, ReadlineError> {
        if let Some(line) = self.pasted.pop_front() {
            return Ok(line);
        }
        if let Some(assistant) = self.editor.helper_mut() {
            assistant.before = before.to_owned();
        }
        let text = self.editor.readline(if before.is_empty() { PROMPT } else { CONTINUATION })?;
        self.pasted.extend(lines(&text));
        Ok(self.pasted.pop_front().unwrap_or_default())
    }

    fn remember(&mut self, text: &str) {
        let _ = self.editor.add_history_entry(text.trim());
        // A paste writes its statements at once: the file is locked and checked each time, and rewritten if it is full.
        self.is_behind =
            !self.pasted.is_empty() || rustix::io::ioctl_fionread(std::io::stdin()).is_ok_and(|waiting| waiting > 0);
        if !self.is_behind {
            self.save();
        }
    }

    fn save(&mut self) {
        self.is_behind = false;
        if let Some(file) = &self.history {
            let made = file.parent().map(std::fs::create_dir_all).transpose();
            if made.is_ok() {
                let _ = self.editor.append_history(file);
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.is_behind {
            self.save();
        }
    }
}

impl Reader for Terminal {
    fn read(&mut self, engine: &Engine) -> std::io::Result<Input> {
        let mut text = String::new();
        loop {
            match self.line(&text) {
                Ok(line) => {
                    if !text.is_empty() && command::is_command(&line) {
                        say("note: this is part of a statement; end the statement with `;`, or cancel it with Ctrl-C");
                    }
                    text.push_str(&line);
                    // A line that begins no statement does not wait for a semicolon.
                    if is_whole(engine, &text) || command::neither(&text).is_some() {
                        self.remember(&text);
                        return Ok(Input::Text(text, 0));
                    }
                    text.push('\n');
                }
                Err(ReadlineError::Interrupted) => return Ok(Input::Interrupted),
                Err(ReadlineError::Eof) => return Ok(Input::End),
                Err(ReadlineError::Io(error)) => return Err(error),
                Err(error) => return Err(std::io::Error::other(error.to_string())),
            }
        }
    }
}

/// A file or pipe: `;` ends a statement, and the end of the line ends a dot-command.
pub(crate) struct Lines<R> {
    text: R,
    /// Lines that were read.
    read: usize,
}

impl<R> Lines<R> {
    pub(crate) fn new(text: R) -> Self {
        Self { text, read: 0 }
    }
}

impl<R: BufRead> Reader for Lines<R> {
    fn read(&mut self, engine: &Engine) -> std::io::Result<Input> {
        let mut text = String::new();
        let before = self.read;
        loop {
            let mut line = Vec::new();
            if self.text.read_until(b'\n', &mut line)? == 0 {
                return Ok(if text.trim().is_empty() { Input::End } else { Input::Text(text, before) });
            }
            self.read += 1;
            text.push_str(&String::from_utf8_lossy(&line));
            if is_whole(engine, &text) {
                return Ok(Input::Text(text, before));
            }
        }
    }
}

/// The lines of a paste. Terminals end them as the Enter key does.
fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n", "\n").replace('\r', "\n").split('\n').map(str::to_owned).collect()
}

/// Whether the input is complete and can run.
fn is_whole(engine: &Engine, text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || command::is_command(text) || engine.is_complete(text)
}

/// When the last key came. Keys that follow each other faster than anybody types are pasted: they are not highlighted and
/// get no hint until the line ends, because that would take most of the time.
#[derive(Default)]
struct Keys {
    last: Cell<Option<Instant>>,
    is_pasted: Cell<bool>,
}

/// The time between two keys that somebody types, at least.
const BETWEEN_KEYS: Duration = Duration::from_millis(8);

impl Keys {
    /// Notes a key. Returns whether it is pasted.
    fn note(&self) -> bool {
        let is_pasted = self.last.get().is_some_and(|last| last.elapsed() < BETWEEN_KEYS);
        self.is_pasted.set(is_pasted);
        is_pasted
    }

    /// Notes that a key was handled.
    fn handled(&self) {
        self.last.set(Some(Instant::now()));
    }
}

struct Assistant {
    names: Names,
    files: FilenameCompleter,
    hinter: HistoryHinter,
    color: bool,
    /// Lines of the statement before the current line.
    before: String,
    keys: Keys,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        if self.keys.note() {
            // A tab in pasted text is a blank.
            return Ok((pos, vec![" ".to_owned()]));
        }
        if self.before.is_empty() && command::argument_of(&line[..pos]) == Some(Argument::Path) {
            let (start, found) = self.files.complete(line, pos, context)?;
            return Ok((start, found.into_iter().map(|pair| pair.replacement).collect()));
        }
        let text = format!("{}{line}", self.before);
        let (start, found) = self.names.complete(&text, self.before.len() + pos);
        Ok((start.saturating_sub(self.before.len()), found))
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let highlighted = match self.color {
            true => Cow::Owned(highlight(line, |word| self.names.is_table(word))),
            false => Cow::Borrowed(line),
        };
        self.keys.handled();
        highlighted
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.keys.handled();
        self.color && (!self.keys.is_pasted.get() || kind == CmdKind::ForcedRefresh)
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<String> {
        let is_pasted = self.keys.note();
        if is_pasted || !self.before.is_empty() {
            return None;
        }
        // A statement of several lines would push the prompt away.
        self.hinter.hint(line, pos, context).filter(|hint| !hint.contains('\n'))
    }
}

impl Validator for Assistant {}
