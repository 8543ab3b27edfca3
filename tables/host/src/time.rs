//! `time`: one row.

use chrono::{DateTime, Datelike, Timelike};
use indago_table::prelude::*;

use crate::source::kernel;

/// The query's timestamp, in UTC: for a live query, the time it began.
#[derive(Debug, Default, Table)]
#[table(name = "time", rows = 1)]
#[example("The current time.", "SELECT unix_time, iso_8601 FROM time")]
pub struct Time {
    /// Day of the week, in English.
    #[column(volatile)]
    weekday: String,
    /// Year.
    #[column(volatile)]
    year: i64,
    /// Month, from 1.
    #[column(volatile)]
    month: i64,
    /// Day of the month, from 1.
    #[column(volatile)]
    day: i64,
    /// Hour, 0 to 23.
    #[column(volatile)]
    hour: i64,
    /// Minute.
    #[column(volatile)]
    minutes: i64,
    /// Second.
    #[column(volatile)]
    seconds: i64,
    /// Time zone of the other columns: always UTC.
    timezone: String,
    /// Abbreviation of the machine's own time zone at that time; NULL for a machine that is not running.
    #[column(source = zone)]
    local_timezone: Option<String>,
    /// Seconds since 1970.
    #[column(volatile)]
    unix_time: i64,
    /// Human-readable date and time, as in `Tue Sep 30 17:37:30 2014 UTC`.
    #[column(volatile)]
    timestamp: String,
    /// Date and time as in `2014-09-30T17:37:30Z`.
    #[column(volatile)]
    datetime: String,
    /// The same as `datetime`.
    #[column(volatile)]
    iso_8601: String,
    /// The same as `datetime`.
    #[column(volatile, added, hidden)]
    date_time: String,
    /// The query's timestamp, to the microsecond.
    #[column(volatile, added)]
    moment: Timestamp,
}

impl Rows for Time {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let moment = scan.moment();
        let time = DateTime::from_timestamp(moment.seconds(), 0)
            .ok_or_else(|| Error::Malformed(format!("{} seconds is out of range", moment.seconds())))?;
        let iso = time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(std::iter::once(Time {
            weekday: time.format("%A").to_string(),
            year: time.year().into(),
            month: time.month().into(),
            day: time.day().into(),
            hour: time.hour().into(),
            minutes: time.minute().into(),
            seconds: time.second().into(),
            timezone: "UTC".into(),
            local_timezone: None,
            unix_time: moment.seconds(),
            timestamp: time.format("%a %b %e %H:%M:%S %Y UTC").to_string(),
            datetime: iso.clone(),
            iso_8601: iso.clone(),
            date_time: iso,
            moment,
        }))
    }
}

impl Time {
    fn zone(&mut self, sys: &Sys) -> Result<()> {
        self.local_timezone = kernel::time_zone(sys, self.unix_time)?;
        Ok(())
    }
}
