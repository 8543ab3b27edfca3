//! The times of readings.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indago_table::Timestamp;

/// Difference between clocks that counts as a step or as a suspension.
const STEP: Duration = Duration::from_secs(2);

/// The clocks of the machine at one point in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Time of day.
    pub(super) wall: Timestamp,
    /// Time since the machine was started, and since then without suspensions. `None` if unknown.
    pub(super) running: Option<(Duration, Duration)>,
}

/// The clocks of a machine.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// The clocks of this machine.
    pub(super) fn live() -> Self {
        let start = Instant::now();
        Clock(Arc::new(move || Now {
            wall: Timestamp::from(std::time::SystemTime::now()),
            // `Instant` does not count suspensions on Linux; the machine's uptime does.
            running: uptime().map(|uptime| (uptime, start.elapsed())),
        }))
    }

    #[cfg(test)]
    pub(super) fn of(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    pub(super) fn now(&self) -> Now {
        (self.0)()
    }
}

fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}

/// The time of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// Later than the reading before, whatever the clock says.
    pub(super) at: Timestamp,
    /// What happened to the clock or the machine since the reading before.
    pub(super) step: Option<String>,
    /// Whether the clock is behind the readings: `at` is not the time of day.
    pub(super) is_behind: bool,
}

/// The readings of a table, one after the other.
#[derive(Debug, Default)]
pub(super) struct Moments {
    last: Option<(Timestamp, Option<Now>)>,
}

impl Moments {
    /// Continues after a reading of an earlier recorder.
    pub(super) fn continue_after(&mut self, last: Timestamp) {
        if self.last.is_none_or(|(known, _)| known < last) {
            self.last = Some((last, None));
        }
    }

    /// The time of the next reading.
    pub(super) fn next(&mut self, now: Now) -> Moment {
        let Some((last, before)) = self.last.replace((now.wall, Some(now))) else {
            return Moment { at: now.wall, step: None, is_behind: false };
        };
        let step = before.and_then(|before| step(before, now));
        if now.wall > last {
            return Moment { at: now.wall, step, is_behind: false };
        }
        let at = Timestamp(last.0 + 1);
        self.last = Some((at, Some(now)));
        let behind = shown(Duration::from_micros(last.0.abs_diff(now.wall.0)));
        let reason =
            format!("the clock is {behind} behind the last reading; until it has passed it, times are not exact");
        Moment { at, step: step.or(Some(reason)), is_behind: true }
    }
}

/// What happened between two readings of the clocks.
fn step(before: Now, now: Now) -> Option<String> {
    let (uptime, elapsed) = now.running?;
    let (uptime_before, elapsed_before) = before.running?;
    let (uptime, elapsed) = (uptime.checked_sub(uptime_before)?, elapsed.checked_sub(elapsed_before)?);
    if let Some(suspended) = uptime.checked_sub(elapsed).filter(|suspended| *suspended > STEP) {
        return Some(format!("the machine was suspended for {}", shown(suspended)));
    }
    let wall = i128::from(now.wall.0) - i128::from(before.wall.0);
    let difference = wall - i128::try_from(uptime.as_micros()).ok()?;
    let step = Duration::from_micros(u64::try_from(difference.unsigned_abs()).ok()?);
    let direction = if difference < 0 { "back" } else { "forward" };
    (step > STEP).then(|| format!("the clock was set {direction} by {}", shown(step)))
}

/// A duration in whole seconds.
pub(super) fn shown(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64().round())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall: i64, uptime: u64, elapsed: u64) -> Now {
        let seconds = Duration::from_secs;
        Now { wall: Timestamp::from_seconds(wall), running: Some((seconds(uptime), seconds(elapsed))) }
    }

    #[test]
    fn readings_follow_each_other_whatever_the_clock_does() {
        let mut moments = Moments::default();
        let mut next = |wall, uptime, elapsed| {
            let moment = moments.next(now(wall, uptime, elapsed));
            (moment.at.0, moment.step.unwrap_or_default())
        };
        assert_eq!(next(10_000, 100, 0), (10_000_000_000, String::new()));
        assert_eq!(next(10_030, 130, 30), (10_030_000_000, String::new()));
        // Suspended for an hour.
        assert_eq!(next(13_660, 3760, 60), (13_660_000_000, "the machine was suspended for 3600 s".to_owned()));
        // Set back by an hour: the times stand until the clock has passed them.
        assert_eq!(next(10_090, 3790, 90), (13_660_000_001, "the clock was set back by 3600 s".to_owned()));
        let (at, step) = next(10_120, 3820, 120);
        assert_eq!(at, 13_660_000_002);
        assert!(step.starts_with("the clock is 3540 s behind the last reading"), "{step}");
        assert_eq!(next(13_690, 7390, 3690), (13_690_000_000, String::new()));
        // Set forward by an hour.
        assert_eq!(next(17_320, 7420, 3720), (17_320_000_000, "the clock was set forward by 3600 s".to_owned()));
    }

    #[test]
    fn an_earlier_recorder_had_a_later_clock() {
        let mut moments = Moments::default();
        moments.continue_after(Timestamp::from_seconds(500));
        let moment = moments.next(now(100, 1, 1));
        assert!(moment.is_behind && moment.at == Timestamp(500_000_001), "{moment:?}");
    }
}
