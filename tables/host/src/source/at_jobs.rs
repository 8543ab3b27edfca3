//! Jobs of `at` that wait for their time.

use std::path::{Path, PathBuf};

use chrono::DateTime;

use super::texts::Texts;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// The commands, without the environment that `at` restores before them.
    pub(crate) command: String,
    pub(crate) user: Option<String>,
    /// When it runs, in UTC.
    pub(crate) time: String,
    pub(crate) path: PathBuf,
}

/// Directories of jobs: of Debian, and of others.
const DIRECTORIES: [&str; 3] = ["/var/spool/cron/atjobs", "/var/spool/at", "/var/spool/atjobs"];

pub(crate) fn jobs(texts: &Texts<'_>) -> impl Iterator<Item = Job> {
    DIRECTORIES.iter().flat_map(|directory| texts.files_in(directory)).filter_map(|path| {
        let time = time_of(&texts.sys.path_text(path.file_name().unwrap_or_default()))?;
        let text = texts.text(&path)?;
        Some(Job { command: command(&text).to_owned(), user: user(&text), time, path })
    })
}

/// The time in the name of a job: a letter, five digits of its number, and eight of the minutes since 1970.
fn time_of(name: &str) -> Option<String> {
    let digits = name.get(6..).filter(|digits| digits.len() == 8 && Path::new(name).extension().is_none())?;
    let minutes = i64::from_str_radix(digits, 16).ok()?;
    Some(DateTime::from_timestamp(minutes * 60, 0)?.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The user in the second line: `# mail ada 0`.
fn user(text: &str) -> Option<String> {
    let mut lines = text.lines().take(3);
    lines.find_map(|line| line.strip_prefix("# mail ")?.split_whitespace().next().map(str::to_owned))
}

/// The commands after the environment. They follow the change of the directory, which ends with a line `}`.
fn command(text: &str) -> &str {
    let body = text.split_once("\n}\n").map_or(text, |(_, body)| body);
    // `at` of Debian passes them to the shell as a document.
    let document = body.strip_prefix("${SHELL").and_then(|rest| rest.split_once('\n')).map(|(head, document)| {
        let mark = head.rsplit('\'').nth(1).unwrap_or_default();
        match mark.is_empty() {
            true => document,
            false => document.split(mark).next().unwrap_or(document),
        }
    });
    document.unwrap_or(body).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const JOB: &str = "#!/bin/sh\n# atrun uid=0 gid=0\n# mail root 0\numask 22\nPATH=/bin; export PATH\ncd /root || {\n\
                       \t echo 'Execution directory inaccessible' >&2\n\t exit 1\n}\n/bin/date\nid\n";

    #[test]
    fn a_job_has_a_time_a_user_and_commands() {
        assert_eq!(time_of("a0000101c4a9a8").as_deref(), Some("2026-05-28T04:24:00Z"));
        assert_eq!(time_of("=0000101c4a9a8").as_deref(), Some("2026-05-28T04:24:00Z"), "it runs");
        assert_eq!((time_of(".SEQ"), time_of("a0000101c4a9"), time_of("éééé1c4a9a8")), (None, None, None));
        assert_eq!(user(JOB).as_deref(), Some("root"));
        assert_eq!(command(JOB), "/bin/date\nid");
        let document = JOB.replace("/bin/date\nid\n", "${SHELL:-/bin/sh} << 'marcin0'\nid\n\nmarcin0\n");
        assert_eq!(command(&document), "id");
        assert_eq!(command("x"), "x");
        damaged(document.as_bytes(), |bytes| command(&String::from_utf8_lossy(bytes)).len() / 64);
    }
}
