//! Ctrl-C, SIGTERM and SIGHUP.

use std::io;
use std::time::Duration;

use indago::futures::{Stream, stream};
use indago_daemon::Told;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit;

/// Time that cancellation may take before the process exits.
const PATIENCE: Duration = Duration::from_millis(80);

/// Completes at the first Ctrl-C. If the command does not end soon after, the process exits.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    #[expect(clippy::disallowed_methods, reason = "the thread ends with the process")]
    std::thread::spawn(|| {
        std::thread::sleep(PATIENCE);
        std::process::exit(i32::from(exit::INTERRUPTED));
    });
}

/// Ctrl-C, SIGTERM and SIGHUP, as the daemon receives them. They are caught from this call on, even before the stream
/// is polled.
pub(crate) fn told() -> io::Result<impl Stream<Item = Told>> {
    let signals = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    Ok(stream::unfold(signals, |mut signals| async move {
        let told = tokio::select! {
            _ = signals.0.recv() => Told::Stop,
            _ = signals.1.recv() => Told::Stop,
            _ = signals.2.recv() => Told::Reload,
        };
        Some((told, signals))
    }))
}
