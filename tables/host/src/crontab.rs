//! `crontab`: one row per entry of the tables of cron.

use std::path::Path;

use indago_table::prelude::*;

use crate::source::cron::{self, Job};
use crate::source::texts::Texts;

/// Commands that cron runs at certain times: from `/etc/crontab`, `/etc/cron.d` and the users' tables.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "crontab", platforms("linux"), rows = 15, identity(path, line), namespaces)]
#[example("What cron runs, and as which user.", "SELECT path, username, shell_command FROM crontab")]
pub struct Crontab {
    /// Event instead of a time: `@reboot`, `@daily`; NULL for an entry with a time.
    event: Option<String>,
    /// Minutes of the hour, as written; NULL for an event, as the next four.
    minute: Option<String>,
    /// Hours of the day.
    hour: Option<String>,
    /// Days of the month.
    day_of_month: Option<String>,
    /// Months.
    month: Option<String>,
    /// Days of the week; 0 and 7 are Sunday.
    day_of_week: Option<String>,
    /// The rest of the line, with one blank between words. In system tables it begins with the user that runs the command.
    command: String,
    /// File with the entry.
    path: String,
    /// User that runs the command.
    #[column(added)]
    username: String,
    /// The command alone, as cron passes it to the shell: up to the first `%` that has no backslash.
    #[column(added)]
    shell_command: String,
    /// Line in the file, from 1.
    #[column(added)]
    line: i64,
}

impl Rows for Crontab {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = |error: &Error| scan.report("crontab", error);
        let jobs = cron::jobs(&Texts::new(scan.sys(), &report))?;
        Ok(jobs.into_iter().map(|job| row(scan.sys(), job)))
    }
}

fn row(sys: &Sys, job: Job) -> Crontab {
    let path = |path: &Path| sys.path_text(path);
    let mut row = Crontab {
        command: job.command,
        path: path(&job.path),
        username: job.user,
        shell_command: job.shell_command,
        line: job.line as i64,
        ..Crontab::default()
    };
    if let [event] = job.when.as_slice() {
        row.event = Some(event.clone());
    } else {
        let mut fields = job.when.into_iter();
        row.minute = fields.next();
        row.hour = fields.next();
        row.day_of_month = fields.next();
        row.month = fields.next();
        row.day_of_week = fields.next();
    }
    row
}
