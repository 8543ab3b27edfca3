//! `uptime`: one row.

use indago_table::prelude::*;

use crate::source::procfs::{number, required};

/// Time since the machine was started.
#[derive(Debug, Default, Table)]
#[table(name = "uptime", platforms("linux"), rows = 1)]
#[example("Days since the last boot.", "SELECT days FROM uptime")]
pub struct Uptime {
    /// Full days since the machine was started.
    #[column(volatile)]
    days: i64,
    /// Hours in addition to the full days, 0 to 23.
    #[column(volatile)]
    hours: i64,
    /// Minutes in addition to the full hours, 0 to 59.
    #[column(volatile)]
    minutes: i64,
    /// Seconds in addition to the full minutes, 0 to 59.
    #[column(volatile)]
    seconds: i64,
    /// Seconds since the machine was started.
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
