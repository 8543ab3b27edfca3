//! What people see: rows in every format, errors with their place in the SQL, and the interactive shell.

mod command;
mod execute;
mod file;
mod format;
mod lex;
pub mod listing;
mod progress;
mod render;
mod repl;
mod report;
mod text;

pub use execute::{Failure, Summary, execute};
pub use file::{ArrowFile, ParquetFile};
pub use format::{Format, UnknownFormat};
pub use render::{RowSink, Style, row_writer};
pub use repl::{Settings, Shell};
pub use report::{print_error, print_rewritten, print_stats, print_warnings, render_error};
pub use text::visible;
