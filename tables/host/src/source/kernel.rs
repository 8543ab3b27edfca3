//! Facts about the running machine that need system calls. The only module of this crate with unsafe code.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indago_table::prelude::*;
use indago_table::spawn_detached;

/// The kernel's architecture: from a file that only newer kernels have, or from a system call. Unsupported if neither
/// is available.
pub(crate) fn architecture(sys: &Sys) -> Result<Option<String>> {
    if let Some(name) = sys.read_text("/proc/sys/kernel/arch").if_present()? {
        return Ok(Some(name.trim().to_owned()));
    }
    sys.require_live("the architecture")?;
    Ok(Some(rustix::system::uname().machine().to_string_lossy().into_owned()))
}

/// Abbreviation of the machine's time zone at a point in time; `None` for a machine that is not running, or that has
/// another root: its zone is a file under that root.
#[allow(unsafe_code)]
pub(crate) fn time_zone(sys: &Sys, seconds: i64) -> Result<Option<String>> {
    if !sys.is_live() {
        return Ok(None);
    }
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call. The function fills the structure or returns null.
    let outcome = unsafe { libc::localtime_r(&seconds, broken_down.as_mut_ptr()) };
    if outcome.is_null() {
        return Ok(None);
    }
    // SAFETY: the call succeeded, so the structure is filled. All zeros would also be a valid value of it.
    let broken_down = unsafe { broken_down.assume_init() };
    if broken_down.tm_zone.is_null() {
        return Ok(None);
    }
    // SAFETY: the zone is a constant, NUL-terminated string of the C library that lives as long as the program uses it.
    let zone = unsafe { CStr::from_ptr(broken_down.tm_zone) };
    Ok(Some(zone.to_string_lossy().into_owned()))
}

/// Capacity of a file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) block_size: i64,
    pub(crate) blocks: i64,
    pub(crate) blocks_free: i64,
    pub(crate) blocks_available: i64,
    pub(crate) inodes: i64,
    pub(crate) inodes_free: i64,
}

/// Timeout for a file system behind a network or a process.
const PATIENCE: Duration = Duration::from_secs(1);

/// Mount points that have not responded yet. A server that went away can block a call forever; a second thread must not
/// block on it too. This is a state of the kernel, so all engines in this process share it.
static UNANSWERED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Capacity of the file system that is mounted at a path. If it is remote, it may never respond: another thread makes
/// the call, and the caller waits for at most a second.
pub(crate) fn room(sys: &Sys, path: &Path, is_remote: bool) -> Result<Room> {
    sys.require_live("the capacity of file systems")?;
    sys.check_cancelled()?;
    if !is_remote {
        return ask_for_room(sys, path);
    }
    let timed_out = || Error::TimedOut { what: path.display().to_string(), limit: PATIENCE };
    if !unanswered(|paths| paths.insert(path.to_owned())) {
        return Err(timed_out());
    }
    let (sender, receiver) = channel();
    let (asked, machine) = (path.to_owned(), sys.clone());
    let thread = std::thread::Builder::new().name("indago-statvfs".into());
    let started = spawn_detached(thread, move || {
        let outcome = ask_for_room(&machine, &asked);
        unanswered(|paths| paths.remove(&asked));
        // The caller may have timed out.
        let _ = sender.send(outcome);
    });
    if let Err(error) = started {
        unanswered(|paths| paths.remove(path));
        return Err(Error::io(path.display().to_string(), &error));
    }
    let step = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    while waited < PATIENCE {
        sys.check_cancelled()?;
        match receiver.recv_timeout(step) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Timeout) => waited += step,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Err(timed_out())
}

fn unanswered<T>(change: impl FnOnce(&mut BTreeSet<PathBuf>) -> T) -> T {
    change(&mut UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner))
}

fn ask_for_room(sys: &Sys, path: &Path) -> Result<Room> {
    let room = rustix::fs::fstatvfs(sys.hold(path)?);
    let room = room.map_err(|error| Error::io(path.display().to_string(), &error.into()))?;
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Ok(Room {
        block_size: signed(room.f_frsize),
        blocks: signed(room.f_blocks),
        blocks_free: signed(room.f_bfree),
        blocks_available: signed(room.f_bavail),
        inodes: signed(room.f_files),
        inodes_free: signed(room.f_ffree),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_does_not_answer_is_asked_once() {
        let sys = Sys::live();
        let path = Path::new("/");
        let room_of_root = || room(&sys, path, true);
        assert!(room_of_root().is_ok_and(|room| room.blocks > 0), "it responds through another thread");
        unanswered(|paths| paths.insert(path.to_owned()));
        assert!(matches!(room_of_root(), Err(Error::TimedOut { .. })), "a call is still pending");
        unanswered(|paths| paths.remove(path));
        assert!(room_of_root().is_ok(), "the call has returned");
        assert!(matches!(room(&Sys::at("/"), path, false), Err(Error::Unsupported(_))));
    }
}
