//! `shell_history`: one row per command in the history files of users.

use std::path::PathBuf;

use indago_table::prelude::*;

use crate::source::homes::homes;

/// Commands in the history files of users' shells.
///
/// Without a constraint on `uid` these are the current user's. Read are `.bash_history`, `.zsh_history`, `.zhistory`,
/// `.history`, `.sh_history` and `.ash_history` in the home directory. A command of several lines is one row if its
/// file marks where commands end: one of zsh, or one of bash with timestamps.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "shell_history", platforms("linux"), rows = 1000, identity(uid, history_file, line), namespaces)]
#[example(
    "Commands of all users that download something.",
    "SELECT users.username, shell_history.command FROM users JOIN shell_history ON shell_history.uid = users.uid WHERE shell_history.command LIKE '%curl %'"
)]
pub struct ShellHistory {
    /// User whose home directory has the file.
    #[column(index, selects)]
    uid: i64,
    /// Start of the command, in seconds since 1970; 0 if the file does not record it.
    time: i64,
    /// The command.
    command: String,
    /// Path of the history file.
    history_file: String,
    /// Number of the command's first line in the file, from 1.
    #[column(added)]
    line: i64,
}

const FILES: [&str; 6] = [".bash_history", ".zsh_history", ".zhistory", ".history", ".sh_history", ".ash_history"];

impl Rows for ShellHistory {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let homes = homes(scan.sys(), scan.keys(Self::UID), |origin, error| scan.report(origin, error))?;
        let files = homes.into_iter().flat_map(|home| FILES.map(|name| (home.uid, home.directory.join(name))));
        Ok(files.flat_map(move |(uid, path)| of_file(scan, uid, path).into_iter().flatten()))
    }
}

fn of_file(scan: &Scan<ShellHistory>, uid: i64, path: PathBuf) -> Option<impl Iterator<Item = ShellHistory> + use<>> {
    let history_file = path.display().to_string();
    let text = scan.sys().read(&path).and_then(|bytes| {
        let text = scan.sys().text(&unmetafied(bytes));
        let held = scan.meter().hold(text.len())?;
        Ok((text, held))
    });
    match text {
        Ok((text, held)) => {
            let is_zsh = [".zsh_history", ".zhistory"].iter().any(|name| path.ends_with(name));
            let commands = Commands { text, is_zsh, position: 0, line: 0 };
            Some(commands.map(move |(line, time, command)| {
                let _until_the_last_row = &held;
                ShellHistory { uid, time, command, history_file: history_file.clone(), line }
            }))
        }
        Err(error) => {
            scan.report("history", &error);
            None
        }
    }
}

/// Undoes the encoding of zsh, which writes some bytes as 0x83 and the byte with its sixth bit flipped. In a text that
/// is UTF-8, such a pair is left as it is.
fn unmetafied(bytes: Vec<u8>) -> Vec<u8> {
    const META: u8 = 0x83;
    if !bytes.contains(&META) || std::str::from_utf8(&bytes).is_ok() {
        return bytes;
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.into_iter();
    while let Some(byte) = bytes.next() {
        match byte {
            META => plain.extend(bytes.next().map(|byte| byte ^ 0x20)),
            byte => plain.push(byte),
        }
    }
    plain
}

/// Commands with the number of their first line and their time.
struct Commands {
    text: String,
    /// Whether all lines follow the rules of zsh, even those without a time.
    is_zsh: bool,
    position: usize,
    line: i64,
}

impl Commands {
    /// The next line, without its end.
    fn next_line(&mut self) -> Option<&str> {
        let rest = self.text.get(self.position..).filter(|rest| !rest.is_empty())?;
        let line = rest.split('\n').next()?;
        self.position += line.len() + 1;
        self.line += 1;
        Some(line)
    }

    fn peek(&self) -> Option<&str> {
        self.text.get(self.position..).filter(|rest| !rest.is_empty())?.split('\n').next()
    }
}

impl Iterator for Commands {
    type Item = (i64, i64, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.next_line()?;
            if let Some(time) = bash_time(line) {
                let first = self.line + 1;
                // Up to the next timestamp, all lines are one command.
                let mut command = self.next_line()?.to_owned();
                while let Some(next) = self.peek() {
                    if bash_time(next).is_some() {
                        break;
                    }
                    command.push('\n');
                    command.push_str(next);
                    self.next_line();
                }
                return Some((first, time, command));
            }
            if line.is_empty() {
                continue;
            }
            let (time, mut command, is_timed) = match zsh_time(line) {
                Some((time, command)) => (time, command.to_owned(), true),
                None => (0, line.to_owned(), false),
            };
            let first = self.line;
            if self.is_zsh || is_timed {
                // zsh ends the lines of a command but the last with a backslash, and adds a blank to a backslash that
                // is the last one's own.
                while command.ends_with('\\') {
                    command.pop();
                    let Some(next) = self.next_line() else { break };
                    command.push('\n');
                    command.push_str(next);
                }
                if command.ends_with(' ') && command.trim_end_matches(' ').ends_with('\\') {
                    command.pop();
                }
            }
            return Some((first, time, command));
        }
    }
}

/// The line of bash before a command: `#1700000000`.
fn bash_time(line: &str) -> Option<i64> {
    let digits = line.strip_prefix('#').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// The beginning of an entry of zsh's extended history: `: 1700000000:0;command`.
fn zsh_time(line: &str) -> Option<(i64, &str)> {
    let (time, rest) = line.strip_prefix(':')?.trim_start_matches(' ').split_once(':')?;
    let (duration, command) = rest.split_once(';')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(time) && is_number(duration)).then(|| Some((time.parse().ok()?, command)))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const BASH: &str =
        "ls -l\n# comment\n\n#1700000000\nfor i in 1 2\ndo echo $i\ndone\n#1700000001\nid\n#x\n#1700000002\n";
    const ZSH: &str = ": 1700000000:0;ls\n:  1700000005:12;for i in 1\\\ndo echo $i\\\ndone\nplain\n: not:0;x\n\
                       : 1700000006:0;echo \\ \na\\\nb\n";

    fn commands(text: &str) -> Vec<(i64, i64, String)> {
        Commands { text: text.to_owned(), is_zsh: text == ZSH, position: 0, line: 0 }.collect()
    }

    #[test]
    fn commands_of_bash_and_zsh_have_times_and_all_their_lines() {
        let expected = |rows: &[(i64, i64, &str)]| -> Vec<(i64, i64, String)> {
            rows.iter().map(|(line, time, command)| (*line, *time, (*command).to_owned())).collect()
        };
        assert_eq!(
            commands(BASH),
            expected(&[
                (1, 0, "ls -l"),
                (2, 0, "# comment"),
                (5, 1_700_000_000, "for i in 1 2\ndo echo $i\ndone"),
                (9, 1_700_000_001, "id\n#x"),
            ])
        );
        assert_eq!(
            commands(ZSH),
            expected(&[
                (1, 1_700_000_000, "ls"),
                (2, 1_700_000_005, "for i in 1\ndo echo $i\ndone"),
                (5, 0, "plain"),
                (6, 0, ": not:0;x"),
                (7, 1_700_000_006, "echo \\"),
                (8, 0, "a\nb"),
            ])
        );
        for sample in [BASH, ZSH] {
            damaged(sample.as_bytes(), |bytes| commands(&String::from_utf8_lossy(bytes)).len());
        }
        assert_eq!(commands("#99999999999999999999\nx").len(), 2, "not a time");
    }

    /// The bytes are what zsh 5.9 writes for `echo ăé`.
    #[test]
    fn zsh_encodes_some_bytes() {
        assert_eq!(unmetafied(b"echo \xc4\x83\xa3\xc3\xa9".to_vec()), "echo ăé".as_bytes());
        assert_eq!(unmetafied("ă".as_bytes().to_vec()), "ă".as_bytes(), "bash does not encode");
        assert_eq!(unmetafied(vec![0xff, 0x83]), [0xff]);
    }
}
