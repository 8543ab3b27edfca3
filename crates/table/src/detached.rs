//! Threads that nobody joins.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::thread::Builder;

/// Starts a thread that nobody joins. It ends when `work` returns.
///
/// Do not drop a [`JoinHandle`](std::thread::JoinHandle) instead: that calls `pthread_detach`, and in glibc (up to 2.36
/// at least) a thread that ends during this call may free its own descriptor while the call still reads it. The process
/// then dies of SIGSEGV. A thread with a large stack makes that likely, because glibc unmaps such a stack at once. Here
/// the thread can't end before the call has returned.
///
/// # Errors
///
/// The system has no room for another thread.
pub fn spawn_detached(thread: Builder, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (attached, detached) = channel();
    #[expect(clippy::disallowed_methods, reason = "the thread can't end before its handle is dropped")]
    let handle = thread.spawn(move || {
        let _until_detached = UntilDetached(detached);
        work();
    })?;
    drop(handle);
    drop(attached);
    Ok(())
}

/// Blocks when it is dropped, after a panic too, until the sender is gone.
struct UntilDetached(Receiver<Infallible>);

impl Drop for UntilDetached {
    fn drop(&mut self) {
        let Err(_gone) = self.0.recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the wait, this seldom fails: Debian 12 dies of SIGSEGV after some hundred thousand threads.
    #[test]
    fn threads_that_end_at_once_are_detached() {
        let (sender, done) = channel();
        let count = 2000;
        for number in 0..count {
            let sender = sender.clone();
            let thread = Builder::new().stack_size(64 << 20);
            spawn_detached(thread, move || sender.send(number).expect("the test waits")).expect("a thread");
        }
        drop(sender);
        let mut numbers: Vec<i32> = done.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn a_thread_that_panics_is_detached() {
        let (sender, done) = channel::<()>();
        let work = move || {
            let _sender = sender;
            panic!("on purpose");
        };
        spawn_detached(Builder::new(), work).expect("a thread");
        done.recv().expect_err("the thread ends and drops its sender");
    }
}
