//! What was recorded, and what was not.

use std::collections::BTreeMap;
use std::time::Duration;

use indago_table::Timestamp;
use serde::{Deserialize, Serialize};

/// How the rows of an interval were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Read again and again.
    Poll,
    /// Read when the source reported a change.
    Watch,
    /// Events.
    Event,
    /// Read once.
    Capture,
}

impl How {
    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            How::Poll => "poll",
            How::Watch => "watch",
            How::Event => "event",
            How::Capture => "capture",
        }
    }
}

/// A time in which a slice of a table was recorded, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The table.
    pub table: String,
    /// The recorder.
    pub writer: String,
    /// The slice: the values that all of its rows share, such as `cluster=prod`; empty for a table with one slice.
    pub origin: String,
    /// Values that all rows of the slice share, by column.
    pub slice: Vec<(String, String)>,
    /// First reading. For a gap: the last reading before it, or the first attempt.
    #[serde(with = "micros")]
    pub from: Timestamp,
    /// Last reading. For a gap: the next reading after it, or the last attempt.
    #[serde(with = "micros")]
    pub to: Timestamp,
    /// How it was recorded.
    pub how: How,
    /// Time between two readings.
    pub every: Option<Duration>,
    /// Number of readings.
    pub readings: u64,
    /// Why rows are missing; `None` if none are.
    pub gap: Option<String>,
}

mod micros {
    use indago_table::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(timestamp.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}

/// The present interval of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Track {
    pub(super) interval: Interval,
    /// Identifies what is missing; `None` if nothing is. The text of a gap differs from reading to reading.
    pub(super) missing: Option<String>,
    /// The last reading that found all rows that can be found.
    pub(super) last_read: Option<i64>,
    /// The reading and the time since which the same is missing. The reading is 0 if it was before the start of this
    /// recorder.
    #[serde(skip)]
    since: u32,
    since_time: i64,
}

/// What a reading lacks of a slice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lack {
    /// The same each time, until somebody changes something: a permission.
    Standing { missing: String, reason: String },
    /// It may be read next time.
    Temporary { missing: String, reason: String },
}

impl Lack {
    fn parts(&self) -> (&str, &str) {
        match self {
            Lack::Standing { missing, reason } | Lack::Temporary { missing, reason } => (missing, reason),
        }
    }
}

/// A reading of a slice.
#[derive(Debug, Clone)]
pub(super) struct Reading<'a> {
    pub(super) at: Timestamp,
    pub(super) number: u32,
    pub(super) lack: Option<&'a Lack>,
    /// Why there was no reading since the one before; `None` if it is not late.
    pub(super) late: Option<&'a str>,
    pub(super) how: How,
    pub(super) every: Option<Duration>,
}

impl Track {
    /// A slice that is read for the first time. Its first reading follows.
    pub(super) fn new(interval: Interval) -> Self {
        Track { interval, missing: None, last_read: None, since: 0, since_time: 0 }
    }

    /// The reading and the time since which the same is missing as in this reading.
    pub(super) fn since(&self, lack: Option<&Lack>, number: u32, at: Timestamp) -> (u32, i64) {
        let missing = lack.map(|lack| lack.parts().0);
        let is_same = missing == self.missing.as_deref() && self.interval.readings > 0;
        if is_same { (self.since, self.since_time) } else { (number, at.0) }
    }

    /// Adds a reading. Returns the intervals that are over.
    pub(super) fn add(&mut self, reading: &Reading<'_>) -> Vec<Interval> {
        let mut over = Vec::new();
        let Reading { at, number, lack, late, how, every } = *reading;
        let since = self.since(lack, number, at);
        let (missing, reason) = lack
            .map(Lack::parts)
            .map_or((None, None), |(missing, reason)| (Some(missing.to_owned()), Some(reason.to_owned())));
        let is_first = self.interval.readings == 0;
        if is_first {
            self.interval.from = at;
        }
        // Another recorder, with other settings.
        let other = (self.interval.how != how && how != How::Capture).then_some("the recorder was not running");
        if let Some(late) = late.or(other).filter(|_| !is_first) {
            let last = self.interval.to;
            over.push(self.interval.clone());
            over.push(Interval {
                from: last,
                to: at,
                readings: 0,
                gap: Some(late.to_owned()),
                ..self.interval.clone()
            });
            self.interval = Interval { from: at, to: at, readings: 0, gap: None, ..self.interval.clone() };
        }
        let is_point = (how == How::Capture || self.interval.how != how) && self.interval.readings > 0;
        if !is_first && (missing != self.missing || is_point) {
            // A gap begins with the last good reading, and ends with the next one.
            let was_gap = self.interval.gap.is_some();
            let before = self.interval.to;
            if was_gap && !is_point {
                self.interval.to = at;
            }
            if self.interval.readings > 0 {
                over.push(self.interval.clone());
            }
            let from = if missing.is_some() && !was_gap && !is_point { before } else { at };
            self.interval = Interval { from, readings: 0, ..self.interval.clone() };
        }
        (self.since, self.since_time) = since;
        if self.interval.readings == 0 {
            self.interval.gap = reason;
            (self.interval.how, self.interval.every) = (how, every);
        }
        self.missing = missing;
        self.interval.to = at;
        self.interval.readings += 1;
        if !matches!(lack, Some(Lack::Temporary { .. })) {
            self.last_read = Some(at.0);
        }
        over
    }
}

/// A recorder's object next to the tables: who writes, and the intervals that are not in the table of coverage yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Heartbeat {
    /// Version of this format.
    pub(super) version: u32,
    pub(super) writer: String,
    /// A random number of the running recorder.
    pub(super) instance: String,
    /// Grows with each heartbeat.
    pub(super) beat: u64,
    /// Whether the recorder has ended.
    pub(super) stopped: bool,
    pub(super) open: Vec<Track>,
    pub(super) closed: Vec<Interval>,
}

/// The version of [`Heartbeat`].
pub(super) const VERSION: u32 = 1;

/// Start of the names of heartbeats.
pub(super) const STATES: &str = "recorder-";

impl Heartbeat {
    /// The name of a writer's heartbeat.
    pub(super) fn name(writer: &str) -> String {
        let writer: String = url::form_urlencoded::byte_serialize(writer.as_bytes()).collect();
        format!("{STATES}{writer}.json")
    }

    pub(super) fn to_bytes(&self) -> bytes::Bytes {
        serde_json::to_vec(self).expect("numbers, texts and lists").into()
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let heartbeat: Heartbeat = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match heartbeat.version {
            VERSION => Ok(heartbeat),
            newer => Err(format!("version {newer} is newer than this program; update it")),
        }
    }
}

/// The intervals without duplicates, which a recorder leaves if it is killed while it moves them.
pub(super) fn distinct(intervals: impl IntoIterator<Item = Interval>) -> Vec<Interval> {
    let mut all: BTreeMap<(String, String, String, i64, bool), Interval> = BTreeMap::new();
    for interval in intervals {
        let key = (
            interval.table.clone(),
            interval.writer.clone(),
            interval.origin.clone(),
            interval.from.0,
            interval.gap.is_some(),
        );
        // The later state of an interval that was still open.
        let is_newer = all.get(&key).is_none_or(|known| known.to < interval.to);
        if is_newer {
            all.insert(key, interval);
        }
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(how: How) -> Track {
        Track::new(Interval {
            table: "t".to_owned(),
            writer: "w".to_owned(),
            origin: String::new(),
            slice: Vec::new(),
            from: Timestamp(10),
            to: Timestamp(10),
            how,
            every: None,
            readings: 0,
            gap: None,
        })
    }

    fn reading<'a>(at: i64, number: u32, lack: Option<&'a Lack>, late: Option<&'a str>, how: How) -> Reading<'a> {
        Reading { at: Timestamp(at), number, lack, late, how, every: None }
    }

    fn shown(interval: &Interval) -> String {
        let gap = interval.gap.as_deref().map(|gap| format!(" {gap}")).unwrap_or_default();
        format!("{}-{} {}{gap}", interval.from.0, interval.to.0, interval.readings)
    }

    #[test]
    fn intervals_and_gaps_follow_each_other() {
        let mut track = track(How::Poll);
        let mut all = Vec::new();
        let lack = |reason: &str| Lack::Temporary { missing: "io".to_owned(), reason: reason.to_owned() };
        let (down, still) = (lack("refused"), lack("refused again"));
        let readings = [
            (10, None, None),
            (20, None, None),
            (30, Some(&down), None),
            (40, Some(&still), None),
            (50, None, None),
            (60, None, None),
            (200, None, Some("suspended")),
            (210, None, None),
        ];
        for (number, (at, lack, late)) in readings.into_iter().enumerate() {
            let number = number as u32 + 1;
            all.extend(track.add(&reading(at, number, lack, late, How::Poll)));
        }
        all.push(track.interval.clone());
        let all: Vec<String> = all.iter().map(shown).collect();
        assert_eq!(all, ["10-20 2", "20-50 2 refused", "50-60 2", "60-200 0 suspended", "200-210 2"]);
        assert_eq!(track.last_read, Some(210));
    }

    #[test]
    fn a_slice_that_fails_from_the_start_has_never_been_read() {
        let mut track = track(How::Poll);
        let lack = Lack::Temporary { missing: "io".to_owned(), reason: "refused".to_owned() };
        for (at, number) in [(10, 1), (20, 2)] {
            track.add(&reading(at, number, Some(&lack), None, How::Poll));
        }
        assert_eq!((shown(&track.interval).as_str(), track.last_read), ("10-20 2 refused", None));
    }

    #[test]
    fn captures_are_points() {
        let mut track = track(How::Capture);
        let mut all = Vec::new();
        for (at, number) in [(10, 1), (20, 2)] {
            all.extend(track.add(&reading(at, number, None, None, How::Capture)));
        }
        all.push(track.interval.clone());
        assert_eq!(all.iter().map(shown).collect::<Vec<_>>(), ["10-10 1", "20-20 1"]);
    }

    #[test]
    fn a_heartbeat_is_read_back_and_a_newer_one_is_refused() {
        let mut heartbeat = Heartbeat { version: VERSION, writer: "a/b ä".to_owned(), ..Heartbeat::default() };
        heartbeat.open.push(track(How::Watch));
        assert_eq!(Heartbeat::parse(&heartbeat.to_bytes()).expect("valid"), heartbeat);
        heartbeat.version = 2;
        assert!(Heartbeat::parse(&heartbeat.to_bytes()).expect_err("newer").contains("update"));
        assert_eq!(Heartbeat::name("a/b ä"), "recorder-a%2Fb+%C3%A4.json");
    }
}
