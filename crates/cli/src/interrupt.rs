//! Ctrl-C and SIGTERM.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit;

/// How long cancellation may take before the process ends without it.
const PATIENCE: Duration = Duration::from_millis(80);

/// Ready at the first Ctrl-C. If the command does not end soon after, the process does.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    std::thread::spawn(|| {
        std::thread::sleep(PATIENCE);
        std::process::exit(i32::from(exit::INTERRUPTED));
    });
}

/// Ready at Ctrl-C or SIGTERM. Both are caught from the call on, not only once somebody waits.
pub(crate) fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
