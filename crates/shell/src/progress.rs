//! The progress line of a long query, on standard error.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indago::ScanStats;

use crate::text::{cut, visible};

/// Queries that end sooner show no progress.
const PATIENCE: Duration = Duration::from_millis(800);

/// A line that is rewritten in place, and cleared before any other output.
pub(crate) struct Progress<F> {
    is_terminal: bool,
    /// Whether progress is wanted at this time.
    is_wanted: F,
    shown: bool,
}

impl<F: Fn() -> bool> Progress<F> {
    /// Shows progress only on a terminal.
    pub(crate) fn new(is_wanted: F) -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), is_wanted, shown: false }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_terminal
    }

    pub(crate) fn show(&mut self, scans: &[ScanStats], rows: u64, elapsed: Duration) {
        if elapsed < PATIENCE || !(self.is_wanted)() {
            return;
        }
        let width = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| usize::from(size.ws_col));
        let line = line(scans, rows, elapsed);
        let _ = write!(std::io::stderr(), "\r\x1b[2K{}", cut(&line, width.saturating_sub(1)));
        let _ = std::io::stderr().flush();
        self.shown = true;
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
            let _ = std::io::stderr().flush();
        }
    }
}

fn line(scans: &[ScanStats], rows: u64, elapsed: Duration) -> String {
    let mut text = format!("{:.1} s", elapsed.as_secs_f64());
    if rows > 0 {
        text.push_str(&format!(", {} rows", grouped(rows)));
    }
    for scan in scans {
        text.push_str(&format!(" · {} {}", visible(&scan.table), grouped(scan.rows)));
        if scan.calls > 0 {
            text.push_str(&format!(" ({} calls)", grouped(scan.calls)));
        }
    }
    text
}

/// A number with thousands separators.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
