//! `uptime`: one row.

use indago_table::prelude::*;

use crate::source::procfs::{number, required};

/// How long the machine has been running.
#[derive(Debug, Default, Table)]
#[table(name = "uptime", platforms("linux"), rows = 1)]
#[example("Days since the last start.", "SELECT days FROM uptime")]
pub struct Uptime {
    /// Whole days.
    #[column(volatile)]
    days: i64,
    /// Hours beyond the days.
    #[column(volatile)]
    hours: i64,
    /// Minutes beyond the hours.
    #[column(volatile)]
    minutes: i64,
    /// Seconds beyond the minutes.
    #[column(volatile)]
    seconds: i64,
    /// All of it, in seconds.
    #[column(volatile)]
    total_seconds: i64,
}

impl Rows for Uptime {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let bytes = required(scan.sys().read("/proc/uptime"))?;
        let whole = bytes.split(|byte| matches!(byte, b'.' | b' ' | b'\n')).next().and_then(number);
        let Some(total) = whole.filter(|total| *total >= 0) else {
            return Err(Error::Malformed("/proc/uptime does not begin with a number of seconds".into()));
        };
        Ok(std::iter::once(Uptime {
            days: total / 86_400,
            hours: total / 3600 % 24,
            minutes: total / 60 % 60,
            seconds: total % 60,
            total_seconds: total,
        }))
    }
}
