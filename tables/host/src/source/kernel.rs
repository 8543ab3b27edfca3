//! What only system calls tell, of the running machine. The only module of this crate with unsafe code.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indago_table::prelude::*;

/// The architecture that the kernel runs on: from its own file, which only newer kernels have, or by asking. Where neither
/// is there it is unsupported.
pub(crate) fn architecture(sys: &Sys) -> Result<Option<String>> {
    if let Some(name) = sys.read_text("/proc/sys/kernel/arch").if_present()? {
        return Ok(Some(name.trim().to_owned()));
    }
    sys.require_live("the architecture")?;
    Ok(Some(rustix::system::uname().machine().to_string_lossy().into_owned()))
}

/// Abbreviation of the machine's time zone at a moment; `None` for a machine that does not run, or has another root: its
/// zone is a file of that root.
#[allow(unsafe_code)]
pub(crate) fn time_zone(sys: &Sys, seconds: i64) -> Result<Option<String>> {
    if !sys.is_live() {
        return Ok(None);
    }
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; the function fills the structure, or gives null.
    let outcome = unsafe { libc::localtime_r(&seconds, broken_down.as_mut_ptr()) };
    if outcome.is_null() {
        return Ok(None);
    }
    // SAFETY: the call succeeded, so the structure is filled; all zeros would be a valid value of it too.
    let broken_down = unsafe { broken_down.assume_init() };
    if broken_down.tm_zone.is_null() {
        return Ok(None);
    }
    // SAFETY: the zone is a constant text of the C library, which ends in NUL and outlives the program's use of it.
    let zone = unsafe { CStr::from_ptr(broken_down.tm_zone) };
    Ok(Some(zone.to_string_lossy().into_owned()))
}

/// Room in a file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) block_size: i64,
    pub(crate) blocks: i64,
    pub(crate) blocks_free: i64,
    pub(crate) blocks_available: i64,
    pub(crate) inodes: i64,
    pub(crate) inodes_free: i64,
}

/// How long a file system behind a network or a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Mount points that have not answered yet: a server that went away can hold a call for ever, and no second thread
/// shall wait for it. It is about the kernel, not about a query, and so the same for all engines in this process.
static UNANSWERED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The room in the file system that is mounted at a path. `is_remote` says that it may never answer: then another
/// thread asks, and the caller waits for a second at the most.
pub(crate) fn room(sys: &Sys, path: &Path, is_remote: bool) -> Result<Room> {
    sys.require_live("the room in file systems")?;
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
    let thread = std::thread::Builder::new().name("indago-statvfs".into()).spawn(move || {
        let outcome = ask_for_room(&machine, &asked);
        unanswered(|paths| paths.remove(&asked));
        // Nobody listens after the time is up.
        let _ = sender.send(outcome);
    });
    if let Err(error) = thread {
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
        assert!(room_of_root().is_ok_and(|room| room.blocks > 0), "it answers through another thread");
        unanswered(|paths| paths.insert(path.to_owned()));
        assert!(matches!(room_of_root(), Err(Error::TimedOut { .. })), "a question is still open");
        unanswered(|paths| paths.remove(path));
        assert!(room_of_root().is_ok(), "and answered later");
        assert!(matches!(room(&Sys::at("/"), path, false), Err(Error::Unsupported(_))));
    }
}
