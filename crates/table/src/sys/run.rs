//! Runs programs: only if no other user could have written them, and within limits.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{MOST_BYTES, Sys, size};
use crate::detached::spawn_detached;
use crate::error::{Error, Result};

/// Interval at which a running program is checked.
const STEP: Duration = Duration::from_millis(20);

/// Most interpreters in a chain; the kernel allows fewer.
const MOST_INTERPRETERS: usize = 16;

/// Most characters of a program's message in an error.
const LONGEST_COMPLAINT: usize = 300;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name in errors.
    pub name: String,
    /// Its path, or its name in the directories of `PATH`.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment variables in addition to those of this process.
    pub variables: Vec<(String, String)>,
    /// How to install it.
    pub install_hint: Option<String>,
    /// Whether it uses the terminal. It then shares standard input and standard error with this process.
    pub has_terminal: bool,
    /// Limit for its output, in bytes.
    pub most_bytes: u64,
    /// Timeout.
    pub time: Duration,
}

impl Program {
    /// A program with a name for errors.
    pub fn new(name: impl Into<String>, command: impl Into<String>) -> Self {
        Program {
            name: name.into(),
            command: command.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            install_hint: None,
            has_terminal: false,
            most_bytes: MOST_BYTES,
            time: Duration::from_secs(30),
        }
    }

    fn failed(&self, message: impl Into<String>) -> Error {
        Error::Io { what: self.name.clone(), message: message.into() }
    }

    /// Its file, if no other user could have written the programs that start.
    fn find(&self, sys: &Sys) -> Result<PathBuf> {
        let folders = self.folders(sys);
        let path = locate(sys, &folders, &self.command).ok_or_else(|| {
            let hint = self.install_hint.as_deref().map(|hint| format!(": {}", hint.trim())).unwrap_or_default();
            Error::Unsupported(format!("{} is in no directory of PATH; install it{hint}", self.name))
        })?;
        let mut left = vec![path.clone()];
        for _ in 0..MOST_INTERPRETERS {
            let Some(next) = left.pop() else { break };
            match sys.other_writer(&next) {
                Ok(None) => left.extend(self.interpreters(sys, &folders, &next)?),
                Ok(Some(why)) => return Err(Error::Unsupported(format!("{} is not run: {why}", self.name))),
                Err(Error::Gone(what)) => return Err(self.failed(format!("cannot be run: {what} does not exist"))),
                Err(error) => return Err(self.failed(format!("cannot be run: {error}"))),
            }
        }
        if left.is_empty() { Ok(path) } else { Err(self.failed("cannot be run: its interpreters are also scripts")) }
    }

    pub(super) fn run(&self, sys: &Sys) -> Result<Output> {
        let cannot = |error: &io::Error| self.failed(format!("cannot be run: {error}"));
        let mut command = Command::new(self.find(sys)?);
        command.args(&self.arguments).stdout(Stdio::piped());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        // The programs that it starts are searched in the directories that were checked.
        let folders = std::env::join_paths(self.folders(sys)).map_err(|error| self.failed(error.to_string()))?;
        command.env("PATH", folders);
        if !self.has_terminal {
            // It must not read from the terminal. In its own process group, it can be killed together with its
            // children.
            command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        }
        let child = command.spawn().map_err(|error| cannot(&error))?;
        let mut running = Running { child, leads_group: !self.has_terminal, has_ended: false };
        let deadline = Instant::now() + self.time;
        let waits = || {
            sys.check_cancelled()?;
            let is_over = Instant::now() >= deadline;
            if is_over { Err(Error::TimedOut { what: self.name.clone(), limit: self.time }) } else { Ok(()) }
        };

        let (sender, receiver) = channel();
        let pipes: [(usize, Option<Box<dyn Read + Send>>); 2] = [
            (0, running.child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
            (1, running.child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
        ];
        let most_bytes = self.most_bytes;
        for (which, pipe) in pipes {
            let (Some(pipe), sender) = (pipe, sender.clone()) else { continue };
            let read = move || {
                let mut bytes = Vec::new();
                let outcome = pipe.take(most_bytes + 1).read_to_end(&mut bytes);
                // After the timeout, nobody reads the output.
                let _ = sender.send((which, outcome.map(|_| bytes)));
            };
            let thread = std::thread::Builder::new().name("indago-run".into());
            spawn_detached(thread, read).map_err(|error| cannot(&error))?;
        }
        drop(sender);
        let mut printed = [Vec::new(), Vec::new()];
        loop {
            match receiver.recv_timeout(STEP) {
                Ok((_, Ok(bytes))) if bytes.len() as u64 > most_bytes => {
                    return Err(Error::Malformed(format!("{} prints more than {}", self.name, size(most_bytes))));
                }
                Ok((which, Ok(bytes))) => {
                    sys.meter().add_bytes(bytes.len() as u64);
                    printed[which] = bytes;
                }
                Ok((_, Err(error))) => return Err(self.failed(error.to_string())),
                Err(RecvTimeoutError::Timeout) => waits()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = loop {
            match running.child.try_wait().map_err(|error| self.failed(error.to_string()))? {
                Some(status) => break status,
                None => {
                    waits()?;
                    std::thread::sleep(STEP);
                }
            }
        };
        running.has_ended = true;
        let [stdout, stderr] = printed;
        Ok(Output { status, stdout, stderr })
    }

    /// The directories of its `PATH`, without the current directory.
    fn folders(&self, sys: &Sys) -> Vec<PathBuf> {
        let own = self.variables.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.into());
        let path = own.or_else(|| sys.variable("PATH")).unwrap_or_default();
        std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
    }

    /// Programs that also start when the kernel runs a script: its interpreter, and the program that `env` finds.
    fn interpreters(&self, sys: &Sys, folders: &[PathBuf], path: &Path) -> Result<Vec<PathBuf>> {
        let mut start = Vec::new();
        // A user who may run a script may read it; otherwise the interpreter could not.
        let read = sys.open(path).map(|file| file.take(FIRST_LINE).read_to_end(&mut start));
        let line = start.split(|byte| *byte == b'\n').next().and_then(|line| line.strip_prefix(b"#!"));
        let (Ok(Ok(_)), Some(line)) = (read, line) else { return Ok(Vec::new()) };
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        let Some(interpreter) = words.next().map(PathBuf::from) else { return Ok(Vec::new()) };
        if interpreter.file_name().is_none_or(|name| name != "env") {
            return Ok(vec![interpreter]);
        }
        let refused = |why: String| Err(self.failed(format!("cannot be run: {} {why}", path.display())));
        let Some(word) = words.find(|word| *word != "-S" && !word.contains('=')) else { return Ok(vec![interpreter]) };
        let command = word.strip_prefix("-S").unwrap_or(word);
        // Options of `env` can change which program it starts, and where it searches.
        if command.starts_with('-') {
            return refused(format!("uses `env` with the option {command}; only `-S` is supported"));
        }
        match locate(sys, folders, command) {
            Some(found) => Ok(vec![found, interpreter]),
            None => refused(format!("uses `env` with {command}, which is in no directory of PATH")),
        }
    }

    pub(super) fn output(&self, output: Output) -> Result<Vec<u8>> {
        let Output { status, stdout, stderr } = output;
        if status.success() {
            return Ok(stdout);
        }
        let complaint: String = String::from_utf8_lossy(&stderr).trim().chars().take(LONGEST_COMPLAINT).collect();
        let colon = if complaint.is_empty() { "" } else { ": " };
        Err(self.failed(format!("failed ({status}){colon}{complaint}")))
    }
}

/// The file of a command: at its path, or in one of the directories.
fn locate(sys: &Sys, folders: &[PathBuf], command: &str) -> Option<PathBuf> {
    if command.contains('/') {
        return Some(PathBuf::from(command));
    }
    let is_program =
        |file: &PathBuf| sys.metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0);
    folders.iter().map(|folder| folder.join(command)).find(is_program)
}

/// Number of bytes at the start of a script that the kernel reads.
const FIRST_LINE: u64 = 256;

/// A running program and its children. They are killed when this is dropped.
struct Running {
    child: Child,
    leads_group: bool,
    /// Whether it ended and closed its output. Children that it left running on purpose may continue.
    has_ended: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // Its ID is that of its group, even after it has ended, until it is waited for.
        let leader = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = leader
            .filter(|_| self.leads_group)
            .map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::sys::tests::Folder;

    fn sh(script: &str) -> Program {
        Program {
            arguments: vec!["-c".to_owned(), script.to_owned()],
            most_bytes: 1000,
            time: Duration::from_secs(600),
            ..Program::new("the script", "sh")
        }
    }

    #[test]
    fn a_program_is_bounded_in_output_and_time() {
        let sys = Sys::live();
        let script = Program { variables: vec![("X".into(), "err".into())], ..sh("echo out; echo $X >&2; exit 3") };
        let output = sys.run(&script).expect("it runs");
        assert_eq!((output.status.code(), &*output.stdout, &*output.stderr), (Some(3), &b"out\n"[..], &b"err\n"[..]));
        let told = |program: &Program| sys.print(program).expect_err("it fails").to_string();
        assert_eq!(told(&script), "the script: failed (exit status: 3): err");
        assert_eq!(told(&sh("exit 4")), "the script: failed (exit status: 4)");
        assert_eq!(told(&sh("while :; do echo y; done")), "the script prints more than 1000 bytes");
        // Its child keeps the pipes open, so both are killed.
        for script in ["sleep 600 & wait", "exec >&- 2>&-; sleep 600"] {
            let soon = Program { time: Duration::ZERO, ..sh(script) };
            assert!(matches!(sys.run(&soon), Err(Error::TimedOut { .. })), "{script}");
        }
        // Its children are killed with it, even if it ended long before: its child has the pipe.
        let folder = Folder::new("left-behind");
        let fifo = folder.0.join("held");
        let left = format!("mkfifo {0}; sleep 600 > {0} & read -r _ < {0}", fifo.display());
        let soon = Program { time: Duration::from_millis(200), ..sh(&format!("({left}) & exit 0")) };
        assert!(matches!(sys.run(&soon), Err(Error::TimedOut { .. })));
        sys.meter().cancel();
        assert_eq!(sys.run(&sh("sleep 600")).map(|output| output.status), Err(Error::Cancelled));
    }

    /// Writes a script in a directory, with another process. If this process wrote it, a concurrent fork could hold it
    /// open, and it could not run.
    fn script(path: &Path, text: &str) {
        let write = r#"printf '%s\n' "$2" > "$1"; chmod 755 "$1""#;
        let made = Command::new("sh").args(["-c", write, "sh"]).arg(path).arg(text).status().expect("sh runs");
        assert!(made.success());
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed mode");
    }

    #[test]
    fn a_program_that_others_could_have_written_is_not_run() {
        let folder = Folder::new("programs");
        let at = |name: &str| folder.0.join(name);
        std::fs::create_dir(at("bin")).expect("created");
        std::fs::create_dir(at("open")).expect("created");
        for name in ["bin/plain", "open/plain"] {
            script(&at(name), "#!/bin/sh\necho ran");
        }
        script(&at("bin/through"), &format!("#! {} -x", at("open/plain").display()));
        script(&at("bin/twice"), &format!("#!{}", at("bin/through").display()));
        script(&at("bin/by-env"), "#!/usr/bin/env -S A=b plain-of-path");
        script(&at("bin/by-env-without"), "#!/usr/bin/env -u HOME plain-of-path");
        script(&at("bin/by-env-of-nowhere"), "#!/usr/bin/env program-of-nowhere");
        script(&at("open/plain-of-path"), "#!/bin/sh\necho ran");
        symlink(at("open/plain"), at("bin/link")).expect("created");
        symlink(at("bin/plain"), at("open/link")).expect("created");
        symlink("plain", at("bin/own-link")).expect("created");
        let path = format!(".:{}:{}::/usr/bin:/bin", at("bin").display(), at("open").display());
        let sys = Sys::live().with_variables([("PATH", path)]);
        let run = |command: &str| {
            let said = sys.print(&Program::new("plug-in", command)).map_err(|error| error.to_string());
            said.map(|printed| String::from_utf8_lossy(&printed).into_owned())
        };
        let full = |name: &str| at(name).to_str().expect("UTF-8").to_owned();
        let all = ["open/plain", "bin/link", "open/link", "bin/through", "bin/twice"].map(full);
        for command in all.iter().map(String::as_str).chain(["link", "plain-of-path"]) {
            assert_eq!(run(command), Ok("ran\n".to_owned()), "{command}");
        }
        let told = run("by-env-without").expect_err("an option");
        assert!(told.ends_with("uses `env` with the option -u; only `-S` is supported"), "{told}");
        let told = run("by-env-of-nowhere").expect_err("no program");
        assert!(told.ends_with("uses `env` with program-of-nowhere, which is in no directory of PATH"), "{told}");
        // It is searched in its own PATH, and searches there itself.
        let path = format!(".:{}", at("open").display());
        let own = Program { variables: vec![("PATH".into(), path)], ..Program::new("plug-in", full("bin/plain")) };
        assert_eq!(own.folders(&sys), [at("open")]);
        for (what, others) in [("open", 0o777), ("open", 0o775)] {
            mode(&at(what), others);
            for command in all.iter().map(String::as_str).chain(["link", "by-env", "plain-of-path"]) {
                let place = at(what).display().to_string();
                let expected = format!(
                    "plug-in is not run: other users can write its directory {place} (mode {others:04o}); `chmod go-w {place}`"
                );
                assert_eq!(run(command), Err(expected), "{command}");
            }
            for command in [&*full("bin/plain"), &*full("bin/own-link"), "plain", "own-link"] {
                assert_eq!(run(command), Ok("ran\n".to_owned()), "{command}");
            }
        }
        mode(&at("open"), 0o1777);
        assert_eq!(run("link"), Ok("ran\n".to_owned()), "with the sticky bit nobody else replaces it");
        mode(&at("open/plain"), 0o757);
        for command in ["link", &*full("bin/through")] {
            let told = run(command).expect_err("other users can write it");
            assert!(
                told.starts_with(&format!("plug-in is not run: other users can write {}", full("open/plain"))),
                "{told}"
            );
        }
    }

    #[test]
    fn a_program_that_is_not_there_says_so() {
        let folder = Folder::new("no-programs");
        script(&folder.0.join("orphan"), "#!/no such/interpreter");
        script(&folder.0.join("data"), "text");
        mode(&folder.0.join("data"), 0o644);
        script(&folder.0.join("itself"), &format!("#!{}", folder.0.join("itself").display()));
        let sys = Sys::live().with_variables([("PATH", folder.0.to_str().expect("UTF-8"))]);
        let told = |command: &str| sys.print(&Program::new("plug-in", command)).expect_err(command).to_string();
        assert_eq!(told("data"), "plug-in is in no directory of PATH; install it", "it cannot be executed");
        let hinted = Program { install_hint: Some("see x\n".into()), ..Program::new("plug-in", "none") };
        let error = sys.run(&hinted).map(|output| output.status);
        assert_eq!(error, Err(Error::Unsupported("plug-in is in no directory of PATH; install it: see x".into())));
        assert_eq!(told("/no/such"), "plug-in: cannot be run: /no/such does not exist");
        assert_eq!(told("orphan"), "plug-in: cannot be run: /no does not exist");
        assert_eq!(told("itself"), "plug-in: cannot be run: its interpreters are also scripts");
    }
}
