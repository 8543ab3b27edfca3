//! Ctrl-C and SIGTERM.

use std::time::Duration;

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

/// Ready at Ctrl-C or SIGTERM.
pub(crate) async fn told_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
