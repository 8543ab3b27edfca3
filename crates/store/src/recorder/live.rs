//! The current rows of a table, as hashes.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::recorder::hash::{Columns, Hashes};

/// Rows of one identity that are compared with a new one.
const SEARCHED: u32 = 64;

/// A current row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    content: u64,
    volatile: u64,
    /// Start of its present version, in microseconds.
    valid_from: i64,
    /// Its slice, by number.
    slice: u32,
    /// The reading that found it last.
    seen: u32,
}

/// The current rows of a table. They take about 50 bytes each.
#[derive(Debug)]
pub(super) struct Live {
    key: [u8; 16],
    columns: Columns,
    rows: HashMap<i64, Row>,
    /// Number of the present reading; rows of a store were found by reading 0.
    reading: u32,
    /// Rows that differ from their version, with it; a reading that turns out to be incomplete restores them.
    modified: Vec<(i64, Row)>,
    /// For an id of which the present reading found several rows: the last of the first ones, which were all found.
    occurrences: HashMap<i64, u32>,
    /// Time between stored values of volatile columns, in microseconds.
    sample: i64,
}

/// The rows of a batch to be stored.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// New rows: position in the batch and id.
    pub(super) added: Vec<(usize, i64)>,
    /// Rows that differ from their last version.
    pub(super) modified: Vec<(usize, i64)>,
}

/// A version that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) row_id: i64,
    pub(super) valid_from: i64,
}

/// What a reading says about the rows of a slice that it did not find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// They are gone.
    Ended,
    /// They are gone if they were found by this reading or later, or if their version began at this time or later.
    /// Since then, the same part of the slice is readable.
    EndedSince(u32, i64),
    /// Unknown, and found rows may be incomplete.
    Unknown,
}

impl Live {
    pub(super) fn new(key: [u8; 16], columns: Columns, sample: i64) -> Self {
        Live {
            key,
            columns,
            rows: HashMap::new(),
            reading: 0,
            modified: Vec::new(),
            occurrences: HashMap::new(),
            sample: sample.max(1),
        }
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Removes all rows: events no longer exist after they were read.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// The number of the present reading.
    pub(super) fn reading(&self) -> u32 {
        self.reading
    }

    /// Adds rows of the store: their ids, the starts of their versions, their slices, and the recorded columns.
    pub(super) fn restore(
        &mut self,
        batch: &RecordBatch,
        of: impl Fn(usize) -> (i64, i64, u32),
    ) -> Result<(), ArrowError> {
        for (position, hashes) in self.columns.hashes(&self.key, batch)?.iter().enumerate() {
            let (row_id, valid_from, slice) = of(position);
            let row = Row { content: hashes.content, volatile: hashes.volatile, valid_from, slice, seen: 0 };
            self.rows.insert(row_id, row);
        }
        Ok(())
    }

    /// Starts a reading.
    pub(super) fn begin(&mut self) {
        self.reading += 1;
        self.occurrences.clear();
        self.modified.clear();
    }

    /// Compares a batch of a reading. `slice` has the number and the origin of each row's slice.
    pub(super) fn compare<'a>(
        &mut self,
        batch: &RecordBatch,
        at: i64,
        slice: impl Fn(usize) -> (u32, &'a str),
    ) -> Result<Found, ArrowError> {
        let mut found = Found::default();
        for (position, hashes) in self.columns.hashes(&self.key, batch)?.iter().enumerate() {
            let (slice, origin) = slice(position);
            let row_id = self.next_id(hashes, origin);
            let Hashes { content, volatile, .. } = *hashes;
            let now = Row { content, volatile, valid_from: at, slice, seen: self.reading };
            let Some(row) = self.rows.get_mut(&row_id) else {
                self.rows.insert(row_id, now);
                found.added.push((position, row_id));
                continue;
            };
            let period = |micros: i64| micros.div_euclid(self.sample);
            let is_sampled = row.volatile != volatile && period(row.valid_from) < period(at);
            if row.content != content || is_sampled {
                self.modified.push((row_id, *row));
                *row = now;
                found.modified.push((position, row_id));
            }
            row.seen = self.reading;
        }
        Ok(found)
    }

    /// The id of a row that the present reading has not found yet. Several rows can have one identity. Of these, it is the
    /// one with the same content, so that their order does not matter.
    fn next_id(&mut self, hashes: &Hashes, origin: &str) -> i64 {
        let first = hashes.row_id(origin, 0);
        let row = |row_id: i64| self.rows.get(&row_id);
        let is_unseen = |row: &Row| row.seen != self.reading;
        let is_same = |row: &Row| is_unseen(row) && row.content == hashes.content;
        if row(first).is_some_and(is_same) {
            return first;
        }
        // Rows of one identity have successive numbers. All up to this one were found.
        let found = self.occurrences.get(&first).copied().unwrap_or(0);
        let mut found_now = found;
        let mut unseen = row(first).filter(|row| is_unseen(row)).map(|_| (0, first));
        let mut free = row(first).is_none().then_some((0, first));
        let mut occurrence = found;
        let last = occurrence.saturating_add(SEARCHED);
        let chosen = loop {
            occurrence = occurrence.saturating_add(1);
            let row_id = hashes.row_id(origin, occurrence);
            match row(row_id) {
                Some(row) if is_same(row) => break (occurrence, row_id),
                Some(row) if is_unseen(row) => unseen = unseen.or(Some((occurrence, row_id))),
                Some(_) if occurrence == found_now + 1 => found_now = occurrence,
                Some(_) => {}
                None => free = free.or(Some((occurrence, row_id))),
            }
            let is_over = row(row_id).is_none() || occurrence >= last;
            if is_over && let Some(other) = unseen.or(free) {
                break other;
            }
        };
        if chosen.0 == found_now + 1 {
            found_now = chosen.0;
        }
        if found_now > found {
            self.occurrences.insert(first, found_now);
        }
        chosen.1
    }

    /// Ends a reading. Returns the versions that are over, and the ids of rows whose modification does not count,
    /// because their slice was not read completely.
    pub(super) fn finish(&mut self, absent: impl Fn(u32) -> Absent) -> (Vec<Ended>, Vec<i64>) {
        let (mut ended, mut restored) = (Vec::new(), Vec::new());
        for (row_id, before) in std::mem::take(&mut self.modified) {
            match absent(before.slice) {
                Absent::Unknown => {
                    self.rows.insert(row_id, Row { seen: self.reading, ..before });
                    restored.push(row_id);
                }
                _ => ended.push(Ended { row_id, valid_from: before.valid_from }),
            }
        }
        let reading = self.reading;
        self.rows.retain(|row_id, row| {
            let is_over = row.seen != reading
                && match absent(row.slice) {
                    Absent::Ended => true,
                    Absent::EndedSince(reading, time) => row.seen >= reading || row.valid_from >= time,
                    Absent::Unknown => false,
                };
            if is_over {
                ended.push(Ended { row_id: *row_id, valid_from: row.valid_from });
            }
            !is_over
        });
        (ended, restored)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringViewArray};
    use indago_table::{ColumnSpec, Kind, TableSpec};

    use super::*;

    fn live(identity: &'static [&'static str]) -> Live {
        let column = |name: &'static str| ColumnSpec::new(name, Kind::BigInt, "A number.");
        let mut time = column("time");
        time.volatile = true;
        let name = ColumnSpec::new("name", Kind::Text, "A name.");
        let mut spec = TableSpec::new("t", "test", "A table.", vec![column("pid"), name, time]);
        spec.identity = identity.iter().map(|name| (*name).into()).collect();
        Live::new([7; 16], Columns::new(&spec, &[0, 1, 2]), 1000)
    }

    fn batch(rows: &[(i64, &str, i64)]) -> RecordBatch {
        let pids: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>());
        let names: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringViewArray>());
        let times: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.2)).collect::<Int64Array>());
        RecordBatch::try_from_iter([("pid", pids), ("name", names), ("time", times)]).expect("a batch")
    }

    /// One reading: numbers of added, modified and ended rows.
    fn read(live: &mut Live, at: i64, rows: &[(i64, &str, i64)], absent: Absent) -> (usize, usize, usize) {
        live.begin();
        let found = live.compare(&batch(rows), at, |_| (0, "o")).expect("hashed");
        let (ended, restored) = live.finish(|_| absent);
        let modified = found.modified.len() - restored.len();
        (found.added.len(), modified, ended.len() - modified)
    }

    #[test]
    fn rows_are_added_modified_sampled_and_ended() {
        let mut live = live(&["pid"]);
        let ended = Absent::Ended;
        assert_eq!(read(&mut live, 100, &[(1, "a", 1), (2, "b", 1)], ended), (2, 0, 0));
        assert_eq!(read(&mut live, 200, &[(2, "b", 1), (1, "a", 1)], ended), (0, 0, 0), "another order");
        assert_eq!(read(&mut live, 300, &[(1, "a", 2), (2, "b", 1)], ended), (0, 0, 0), "a counter");
        assert_eq!(read(&mut live, 400, &[(1, "x", 2), (2, "b", 1)], ended), (0, 1, 0));
        assert_eq!(read(&mut live, 1100, &[(1, "x", 3), (2, "b", 1)], ended), (0, 1, 0), "the counter is sampled");
        assert_eq!(read(&mut live, 1200, &[(1, "x", 4), (2, "b", 1)], ended), (0, 0, 0), "once in a period");
        assert_eq!(read(&mut live, 1300, &[(1, "x", 4)], ended), (0, 0, 1));
        assert_eq!(live.len(), 1);
    }

    #[test]
    fn an_incomplete_reading_ends_and_modifies_nothing() {
        let mut live = live(&["pid"]);
        assert_eq!(read(&mut live, 100, &[(1, "a", 1), (2, "b", 1)], Absent::Ended), (2, 0, 0));
        assert_eq!(read(&mut live, 200, &[(1, "?", 1), (3, "c", 1)], Absent::Unknown), (1, 0, 0));
        assert_eq!(read(&mut live, 300, &[(1, "a", 1), (2, "b", 1), (3, "c", 1)], Absent::Ended), (0, 0, 0));
        // From reading 4 on, something is missing each time: what was found before may only be invisible.
        assert_eq!(read(&mut live, 400, &[(1, "a", 1), (3, "c", 1)], Absent::EndedSince(4, 400)), (0, 0, 0));
        assert_eq!(read(&mut live, 500, &[(1, "a", 1)], Absent::EndedSince(4, 400)), (0, 0, 1), "3, but not 2");
        assert_eq!(live.len(), 2);
    }

    #[test]
    fn equal_rows_are_counted() {
        let mut live = live(&[]);
        let (a, b) = ((1, "a", 1), (2, "b", 1));
        assert_eq!(read(&mut live, 100, &[a, a, b, a], Absent::Ended), (4, 0, 0));
        assert_eq!(read(&mut live, 200, &[b, a, a, a], Absent::Ended), (0, 0, 0));
        assert_eq!(read(&mut live, 300, &[a, b, a], Absent::Ended), (0, 0, 1));
        assert_eq!(read(&mut live, 400, &[a, a, a, a, a], Absent::Ended), (3, 0, 1));
    }

    #[test]
    fn a_restored_state_finds_nothing_new() {
        let mut first = live(&["pid"]);
        let rows = [(1, "a", 1), (2, "b", 5)];
        first.begin();
        let found = first.compare(&batch(&rows), 100, |_| (0, "o")).expect("hashed");
        let mut second = live(&["pid"]);
        second.restore(&batch(&rows), |row| (found.added[row].1, 100, 0)).expect("hashed");
        assert_eq!(read(&mut second, 200, &rows, Absent::Ended), (0, 0, 0));
        assert_eq!(read(&mut second, 300, &rows[..1], Absent::Ended), (0, 0, 1));
    }

    #[test]
    fn a_million_rows_take_less_than_200_megabytes() {
        let row = size_of::<(i64, Row)>() + 1;
        // A hash map doubles: at its largest it has the old and the new table, with 8/7 places for each row.
        let places = (1_000_000_usize * 8 / 7).next_power_of_two();
        assert!((places + places / 2) * row < 200_000_000, "{row} bytes per row");
    }
}
