//! Messages to systemd: sd_notify(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager that started the daemon, if it did and wants to be notified.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// Time between watchdog messages: half of the time after which the manager kills the daemon.
    watchdog: Option<Duration>,
    last: Option<Instant>,
}

impl Notify {
    /// The manager that the environment names.
    pub(crate) fn from_environment() -> std::io::Result<Self> {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not block the daemon.
        socket.set_nonblocking(true)?;
        let watchdog = sd_notify::watchdog_enabled().map(|period| period / 2).filter(|period| !period.is_zero());
        Ok(Self { socket: Some((socket, address)), watchdog, last: None })
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some((socket, address)) = &self.socket else { return };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        // The daemon works without its manager. systemd notices missing messages itself.
        let _ = socket.send_to_addr(message.as_bytes(), address);
    }

    /// Reports that the daemon runs, or runs again after it was reloaded.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Reports that the daemon reads its configuration again.
    pub(crate) fn reloading(&self) {
        let now = NotifyState::monotonic_usec_now().ok();
        self.send(&[NotifyState::Reloading].into_iter().chain(now).collect::<Vec<_>>());
    }

    /// Reports that the daemon stops.
    pub(crate) fn stopping(&self) {
        self.send(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    /// Reports that the loop runs, if it is time to. Returns the time until the next report is due.
    pub(crate) fn watchdog(&mut self) -> Duration {
        let Some(period) = self.watchdog else { return Duration::MAX };
        let since = self.last.map(|last| last.elapsed());
        if let Some(rest) = since.and_then(|since| period.checked_sub(since)).filter(|rest| !rest.is_zero()) {
            return rest;
        }
        self.send(&[NotifyState::Watchdog]);
        self.last = Some(Instant::now());
        period
    }
}
