//! The status log: what the daemon does, and its warnings and errors.

use std::io::Write;
use std::panic::Location;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use indago::table::Timestamp;
use serde_json::json;

use crate::appender::Appender;
use crate::error::Result;

/// Writes status lines to a file in osquery's format, or plain ones to standard error.
#[derive(Debug)]
pub(crate) struct Status {
    file: Option<Appender>,
    host: String,
}

#[derive(Debug, Clone, Copy)]
enum Severity {
    Info = 0,
    Warning = 1,
    Error = 2,
}

impl Status {
    pub(crate) fn new(file: Option<&Path>, host: &str) -> Result<Self> {
        Ok(Self { file: file.map(|file| Appender::new(file, false)).transpose()?, host: host.to_owned() })
    }

    #[track_caller]
    pub(crate) fn info(&self, message: &str) {
        self.write(Severity::Info, message, Location::caller());
    }

    #[track_caller]
    pub(crate) fn warn(&self, message: &str) {
        self.write(Severity::Warning, message, Location::caller());
    }

    #[track_caller]
    pub(crate) fn error(&self, message: &str) {
        self.write(Severity::Error, message, Location::caller());
    }

    fn write(&self, severity: Severity, message: &str, place: &Location<'_>) {
        let Some(file) = &self.file else {
            let name = match severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            // Text that an error quotes may contain control characters.
            let _ = writeln!(
                std::io::stderr(),
                "{} {name}: {}",
                Timestamp::from_seconds(unix_time()),
                message.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
            );
            return;
        };
        let now = unix_time();
        let line = json!({
            "hostIdentifier": self.host,
            "calendarTime": indago::packs::log::calendar_time(now),
            "unixTime": now,
            "severity": severity as u8,
            "filename": Path::new(place.file()).file_name().map(|name| name.to_string_lossy()),
            "line": place.line(),
            "message": message,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let Err(error) = file.append(format!("{line}\n").as_bytes()) {
            let _ = writeln!(std::io::stderr(), "error: {error}: {message}");
        }
    }
}

/// The current time in Unix seconds.
pub(crate) fn unix_time() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
