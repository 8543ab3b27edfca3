//! Tables of cron: the system's, those of packages, and the users'.

use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use super::held::{HeldList, owned, owned_bytes};
use super::texts::{Texts, settings, split_word};

/// An entry of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// An event such as `@reboot`, or five fields.
    pub(crate) when: Vec<String>,
    /// The rest of the line.
    pub(crate) command: String,
    pub(crate) user: String,
    /// `command` without the user of a system table, and without the command's input.
    pub(crate) shell_command: String,
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
}

/// A file and a directory whose tables name a user per entry.
const SYSTEM_TABLE: &str = "/etc/crontab";
const PACKAGES: &str = "/etc/cron.d";
/// Directories with a table per user: of Debian and others.
const USERS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];

/// The entries of all tables.
pub(crate) fn jobs(texts: &Texts<'_>) -> Result<HeldList<Job>> {
    let mut jobs = HeldList::new(texts.sys);
    let mut read = |path: &Path, user: Option<&str>| {
        let Some(text) = texts.text(path) else { return Ok(()) };
        let reject = |line| texts.bad_line(path, line, "neither an entry of cron nor a variable");
        parse(&text, path, user, reject).try_for_each(|job| {
            let texts = job.when.iter().map(|field| size_of::<String>() + owned([field])).sum::<usize>();
            let owned = owned([&job.command, &job.user, &job.shell_command]) + owned_bytes(path.as_os_str().len());
            jobs.push(job, texts + owned)
        })
    };
    read(Path::new(SYSTEM_TABLE), None)?;
    texts.files_in(PACKAGES).iter().try_for_each(|path| read(path, None))?;
    for directory in USERS {
        for path in texts.files_in(directory) {
            let user = texts.sys.path_text(path.file_name().unwrap_or_default());
            read(&path, Some(&user))?;
        }
    }
    texts.require("no tables of cron (none of /etc/crontab, /etc/cron.d and /var/spool/cron exists)")?;
    Ok(jobs)
}

/// The entries of a table. Without `user`, each entry names one.
fn parse(text: &str, path: &Path, user: Option<&str>, mut reject: impl FnMut(usize)) -> impl Iterator<Item = Job> {
    let entries = settings(text).filter(|(_, content)| !is_variable(content));
    entries.filter_map(move |(line, content)| {
        let job = job(content, user);
        if job.is_none() {
            reject(line);
        }
        Some(Job { path: path.to_owned(), line, ..job? })
    })
}

/// `NAME = value`. The name may be in quotes.
fn is_variable(line: &str) -> bool {
    let after_name = match line.chars().next() {
        Some(quote @ ('"' | '\'')) => line[1..].split_once(quote).map(|(_, rest)| rest),
        _ => line.find(|character: char| character == '=' || character.is_whitespace()).map(|end| &line[end..]),
    };
    after_name.is_some_and(|rest| rest.trim_start().starts_with('='))
}

fn job(line: &str, user: Option<&str>) -> Option<Job> {
    let fields = if line.starts_with('@') { 1 } else { 5 };
    let mut rest = line;
    let mut when = Vec::new();
    for _ in 0..fields {
        let (field, after) = split_word(rest);
        when.push(field.to_owned());
        rest = after;
    }
    let is_time = |field: &String| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*,-/?~#".contains(&byte));
    if rest.is_empty() || fields == 5 && !when.iter().all(is_time) {
        return None;
    }
    let (user, command) = match user {
        Some(user) => (user, rest),
        None => split_word(rest),
    };
    if command.is_empty() {
        return None;
    }
    Some(Job {
        when,
        command: rest.split_whitespace().collect::<Vec<_>>().join(" "),
        user: user.to_owned(),
        shell_command: until_input(command),
        path: PathBuf::new(),
        line: 0,
    })
}

/// A command without its standard input, which the first `%` without a backslash begins.
fn until_input(command: &str) -> String {
    let mut text = String::with_capacity(command.len());
    let mut characters = command.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'%') => text.extend(characters.next()),
            '%' => break,
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const SYSTEM: &str = "# note\nSHELL=/bin/sh\nMAILTO = \"a b c d e f\"\n'A B'=x\n\
        17 *\t* * *\troot  cd / &&  run-parts x\n\
        @reboot  ada /bin/x=1\n-*/5 1-3,7 ? jan mon-fri root date +\\%s%in%put\n1 2 3\n1 2 3 4 5 root\n@daily\n\
        a=b c\nx y z . w root cmd\n";

    fn show(jobs: impl Iterator<Item = Job>) -> Vec<String> {
        let show = |job: Job| {
            format!("{} {} {} {}: {}", job.line, job.when.join(" "), job.user, job.command, job.shell_command)
        };
        jobs.map(show).collect()
    }

    #[test]
    fn the_jobs_of_all_tables_are_charged() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("etc")).expect("a directory");
        let write = |lines| std::fs::write(root.path().join("etc/crontab"), "* * * * * a b\n".repeat(lines));
        let (sys, limit) = crate::source::held::limited(root.path(), 1 << 20);
        let report = |error: &Error| panic!("{error}");
        let count = || jobs(&Texts::new(&sys, &report)).map(|jobs| jobs.len());
        write(1000).expect("a file");
        assert_eq!(count(), Ok(1000));
        write(5000).expect("a file");
        assert!(matches!(count(), Err(Error::OutOfMemory(_))));
        assert_eq!(limit.left(), 1 << 20);
    }

    #[test]
    fn entries_are_told_from_variables() {
        let mut rejected = Vec::new();
        let jobs = parse(SYSTEM, Path::new("/etc/crontab"), None, |line| rejected.push(line));
        assert_eq!(
            show(jobs),
            [
                "5 17 * * * * root root cd / && run-parts x: cd / &&  run-parts x",
                "6 @reboot ada ada /bin/x=1: /bin/x=1",
                "7 -*/5 1-3,7 ? jan mon-fri root root date +\\%s%in%put: date +%s",
            ]
        );
        assert_eq!(rejected, [8, 9, 10, 12]);
        let own = parse("* * * * * A=b cmd\n@hourly cmd\n", Path::new("x"), Some("ada"), |line| panic!("{line}"));
        assert_eq!(show(own), ["1 * * * * * ada A=b cmd: A=b cmd", "2 @hourly ada cmd: cmd"]);
        damaged(SYSTEM.as_bytes(), |bytes| {
            parse(&String::from_utf8_lossy(bytes), Path::new("x"), None, |_| {}).count()
        });
    }
}
