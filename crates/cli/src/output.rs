//! Standard output that reports every failed write.
//!
//! If standard output was closed (`>&-`), Rust opens `/dev/null` in its place before `main` begins, and every write
//! then succeeds and is lost. So this module checks for a closed descriptor before that.
#![allow(unsafe_code, reason = "only the program's loader runs anything before Rust's own start")]

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

const STDOUT: RawFd = 1;

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    // SAFETY: the borrow ends with this call. The call tests whether the descriptor is open, so it may be closed.
    let stdout = unsafe { BorrowedFd::borrow_raw(STDOUT) };
    WAS_CLOSED.store(rustix::io::fcntl_getfd(stdout).is_err(), Ordering::Relaxed);
}

// SAFETY: the loader calls the functions in this section once, in the only thread; this one makes a system call and
// sets a flag, and needs nothing of Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Standard output; writing fails if it was closed at the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output;

/// Fails if standard output was closed at the start.
pub(crate) fn check() -> io::Result<()> {
    if WAS_CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::other("standard output is closed"));
    }
    Ok(())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check()?;
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
