//! Exit codes, which scripts rely on.

use std::fmt;
use std::io;
use std::process::ExitCode;

use indago::Code;
use indago_shell::{Failure, say, visible};

use crate::arguments::NotOfFormat;

/// The query failed.
pub(crate) const FAILED: u8 = 1;
/// Invalid usage or configuration.
pub(crate) const USAGE: u8 = 2;
/// `--strict`, and rows or values were missing.
pub(crate) const INCOMPLETE: u8 = 3;
/// Ctrl-C; the code that shells use.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command failed, and its exit code.
#[derive(Debug)]
pub(crate) struct Error {
    code: u8,
    error: anyhow::Error,
}

/// Result of a command.
pub(crate) type Result<T = ExitCode> = std::result::Result<T, Error>;

impl Error {
    /// The command ran and failed.
    pub(crate) fn failed(error: anyhow::Error) -> Self {
        Self { code: FAILED, error }
    }

    /// The command was used incorrectly.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: USAGE, error: error.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::failed(error.into())
    }
}

impl From<NotOfFormat> for Error {
    fn from(error: NotOfFormat) -> Self {
        Self::usage(error)
    }
}

/// Prints the error and returns the exit code. A closed pipe is not an error.
pub(crate) fn report(error: &Error) -> ExitCode {
    if let Some(error) = error.error.downcast_ref::<io::Error>()
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS;
    }
    // An engine error is shown with its position in the SQL.
    match error.error.downcast_ref::<Failure>() {
        Some(failure) => indago_shell::print_error(failure, None),
        None => say(format_args!("error: {}", visible(&error.error.to_string()))),
    }
    ExitCode::from(error.code)
}

/// The exit code of a statement that did not run to its end.
pub(crate) fn code_of(failure: &Failure) -> u8 {
    match failure {
        Failure::Cancelled => INTERRUPTED,
        Failure::Query(error) if error.code() == Code::Incomplete => INCOMPLETE,
        failure if failure.is_closed_pipe() => 0,
        _ => FAILED,
    }
}
