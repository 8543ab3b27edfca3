//! Output for people: rows in every format, errors with their position in the SQL, and the interactive shell.

// They panic where standard error or output can't be written.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod command;
mod execute;
mod file;
mod format;
mod lex;
pub mod listing;
mod page;
mod pager;
mod progress;
mod render;
mod repl;
mod report;
mod text;

pub use execute::{Failure, Summary, execute, explain, explained};
pub use file::{ArrowFile, ParquetFile};
pub use format::{Format, UnknownFormat};
pub use page::PageFile;
pub use render::{NotASeparator, RowSink, Separated, Separator, Style, row_writer, write_batch};
pub use repl::{Settings, Shell};
pub use report::{STDIN, Within, print_error, print_rewritten, print_stats, print_warnings, say};
pub use text::visible;
