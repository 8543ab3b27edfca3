//! Programs that are run, within limits.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{Limits, Sys, is_longer};
use crate::error::{Error, Result};

/// How often a program that runs is looked at.
const STEP: Duration = Duration::from_millis(20);

/// A program and those that it started, which end when nobody waits any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let group = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
            let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

pub(super) fn run(sys: &Sys, program: &OsStr, arguments: &[&str], limits: Limits) -> Result<Output> {
    let name = program.to_string_lossy().into_owned();
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => Error::Unsupported(format!("the program {name} is not installed")),
        _ => Error::io(&*name, error),
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut running = Running(command.spawn().map_err(|error| failed(&error))?);
    let deadline = Instant::now() + limits.time;
    let waits = || {
        sys.check_cancelled()?;
        let is_over = Instant::now() >= deadline;
        if is_over { Err(Error::TimedOut { what: name.clone(), limit: limits.time }) } else { Ok(()) }
    };

    let (sender, receiver) = channel();
    let pipes: [(usize, Option<Box<dyn Read + Send>>); 2] = [
        (0, running.0.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
        (1, running.0.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
    ];
    for (which, pipe) in pipes {
        let (Some(pipe), sender) = (pipe, sender.clone()) else { continue };
        let read = move || {
            let mut bytes = Vec::new();
            let outcome = pipe.take(limits.bytes + 1).read_to_end(&mut bytes);
            // Nobody listens after the time is up.
            let _ = sender.send((which, outcome.map(|_| bytes)));
        };
        std::thread::Builder::new().name("indago-run".into()).spawn(read).map_err(|error| failed(&error))?;
    }
    drop(sender);
    let mut printed = [Vec::new(), Vec::new()];
    loop {
        match receiver.recv_timeout(STEP) {
            Ok((_, Ok(bytes))) if bytes.len() as u64 > limits.bytes => return Err(is_longer(&name, limits.bytes)),
            Ok((which, Ok(bytes))) => {
                sys.meter().add_bytes(bytes.len() as u64);
                printed[which] = bytes;
            }
            Ok((_, Err(error))) => return Err(failed(&error)),
            Err(RecvTimeoutError::Timeout) => waits()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = loop {
        match running.0.try_wait().map_err(|error| failed(&error))? {
            Some(status) => break status,
            None => {
                waits()?;
                std::thread::sleep(STEP);
            }
        }
    };
    let [stdout, stderr] = printed;
    Ok(Output { status, stdout, stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limits: Limits) -> Result<Output> {
        run(&Sys::live(), OsStr::new("sh"), &["-c", script], limits)
    }

    #[test]
    fn a_program_is_bounded_in_output_and_time() {
        let limits = Limits { bytes: 1000, time: Duration::from_secs(600) };
        let output = sh("echo out; echo err >&2; exit 3", limits).expect("it runs");
        assert_eq!((output.status.code(), &*output.stdout, &*output.stderr), (Some(3), &b"out\n"[..], &b"err\n"[..]));
        let endless = sh("while :; do echo y; done", limits);
        assert!(matches!(&endless, Err(Error::Malformed(what)) if what.contains("sh")), "{endless:?}");
        // Its own child keeps the pipes open: both end.
        let soon = Limits { time: Duration::ZERO, ..limits };
        assert!(matches!(sh("sleep 600 & wait", soon), Err(Error::TimedOut { .. })));
        assert!(matches!(sh("exec >&- 2>&-; sleep 600", soon), Err(Error::TimedOut { .. })), "nothing to read");
        let none = run(&Sys::live(), OsStr::new("/no such program"), &[], limits);
        assert!(matches!(none, Err(Error::Unsupported(_))), "{none:?}");
        let sys = Sys::live();
        sys.meter().cancel();
        let cancelled = run(&sys, OsStr::new("sleep"), &["600"], limits).map(|output| output.status);
        assert_eq!(cancelled, Err(Error::Cancelled));
    }
}
