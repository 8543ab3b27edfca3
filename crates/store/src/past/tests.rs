use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, StringViewBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{Field, Schema};
use indago_engine::{Engine, QueryOptions};
use indago_table::{ColumnSpec, Kind, Result, ScanContext, Slice, Table, TableSpec, Timestamp};

use super::Recorded;
use crate::archive::{Archive, Changes, End, Writer};

/// A live table without rows.
#[derive(Debug)]
struct Things(TableSpec);

impl Things {
    fn new() -> Self {
        let column = |name: &'static str, kind| ColumnSpec::new(name, kind, "A column.");
        let mut columns = vec![
            column("id", Kind::BigInt),
            column("place", Kind::Text),
            column("state", Kind::Text),
            column("used", Kind::BigInt),
        ];
        (columns[0].index, columns[3].volatile) = (true, true);
        let mut spec = TableSpec::new("things", "test", "Things.", columns);
        spec.identity = vec!["id".into()].into();
        Things(spec)
    }
}

impl Table for Things {
    fn spec(&self) -> &TableSpec {
        &self.0
    }

    fn slices(&self, _context: &ScanContext) -> Result<Vec<Slice>> {
        Ok(Vec::new())
    }

    fn checks_filters(&self) -> bool {
        true
    }
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// The state of a thing: place, state, and a counter.
type Thing = (Option<String>, String, i64);
type World = BTreeMap<i64, Thing>;

/// One writer: the world that it saw last, and the starts of its open versions.
struct Hand {
    name: &'static str,
    writer: Writer,
    world: World,
    open: BTreeMap<i64, Timestamp>,
    last: Option<Timestamp>,
}

impl Hand {
    async fn new(archive: &Archive, spec: &TableSpec, name: &'static str) -> Self {
        let columns: Vec<String> = spec.columns.iter().map(|column| column.name.to_string()).collect();
        let writer = archive.writer(spec, &columns, name).await.expect("a writer");
        Hand { name, writer, world: World::new(), open: BTreeMap::new(), last: None }
    }

    /// Records a world.
    async fn read(&mut self, spec: &TableSpec, world: &World, at: Timestamp) {
        let mut ended = Vec::new();
        let differs: Vec<i64> = self
            .world
            .keys()
            .chain(world.keys())
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter(|id| self.world.get(id) != world.get(id))
            .collect();
        for id in &differs {
            if let Some(valid_from) = self.open.remove(id) {
                ended.push(End { row_id: *id * 3, valid_from, valid_to: at });
            }
        }
        let opened: Vec<(i64, &Thing)> = differs.iter().filter_map(|id| Some((*id, world.get(id)?))).collect();
        opened.iter().for_each(|(id, _)| _ = self.open.insert(*id, at));
        let opened = if opened.is_empty() { Vec::new() } else { vec![self.batch(spec, &opened, at)] };
        self.writer.append(Changes { read_at: at, opened, ended }).await.expect("it is appended");
        (self.world, self.last) = (world.clone(), Some(at));
    }

    fn batch(&self, spec: &TableSpec, opened: &[(i64, &Thing)], at: Timestamp) -> RecordBatch {
        let times = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
        let (mut row_id, mut valid_from, mut not_before) = (Int64Builder::new(), times(), times());
        let mut origin = StringViewBuilder::new();
        let (mut ids, mut used) = (Int64Builder::new(), Int64Builder::new());
        let (mut places, mut states) = (StringViewBuilder::new(), StringViewBuilder::new());
        for (id, (place, state, counter)) in opened {
            row_id.append_value(*id * 3);
            valid_from.append_value(at.0);
            not_before.append_option(self.last.map(|last| last.0));
            origin.append_value(self.name);
            ids.append_value(*id);
            places.append_option(place.as_deref());
            states.append_value(state);
            used.append_value(*counter);
        }
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(row_id.finish()),
            Arc::new(valid_from.finish()),
            Arc::new(not_before.finish()),
            Arc::new(origin.finish()),
            Arc::new(ids.finish()),
            Arc::new(places.finish()),
            Arc::new(states.finish()),
            Arc::new(used.finish()),
        ];
        let names = ["row_id", "valid_from", "not_before", "origin"];
        let names = names.into_iter().chain(spec.columns.iter().map(|column| &*column.name));
        let fields: Vec<Field> =
            names.zip(&arrays).map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("it fits")
    }
}

async fn texts(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    // These tests record no coverage.
    let is_other = |warning: &&indago_engine::Warning| !warning.message.contains("is not recorded in");
    assert_eq!(query.warnings().iter().find(is_other), None, "{sql}");
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter();
        let columns: Vec<_> =
            columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("it has a text")).collect();
        rows.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()),
        );
    }
    rows
}

fn shown(world: &World) -> Vec<Vec<String>> {
    let row = |(id, (place, state, _)): (&i64, &Thing)| {
        vec![id.to_string(), place.clone().unwrap_or("NULL".to_owned()), state.clone()]
    };
    let mut rows: Vec<Vec<String>> = world.iter().map(row).collect();
    rows.sort();
    rows
}

/// A random world after another.
fn next(dice: &mut Dice, world: &World, first: i64) -> World {
    let mut world = world.clone();
    for _ in 0..dice.roll(4) {
        let id = first + i64::try_from(dice.roll(6)).expect("small");
        match dice.roll(5) {
            0 => drop(world.remove(&id)),
            1 => {
                if let Some(thing) = world.get_mut(&id) {
                    thing.2 += 1;
                }
            }
            _ => {
                let place = (dice.roll(3) > 0).then(|| format!("place {}", dice.roll(3)));
                let used = world.get(&id).map_or(0, |thing| thing.2);
                world.insert(id, (place, format!("state {}", dice.roll(3)), used));
            }
        }
    }
    world
}

struct Told {
    engine: Engine,
    archive: Archive,
    /// The worlds of both writers together, after each reading.
    told: Vec<(Timestamp, World)>,
    folder: tempfile::TempDir,
}

/// Random worlds, recorded by two writers at random times and compacted now and then.
async fn told(seed: u64, readings: usize) -> Told {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::open(&folder.path().to_string_lossy()).await.expect("it opens");
    let things = Things::new();
    let spec = things.0.clone();
    let mut hands = [Hand::new(&archive, &spec, "left").await, Hand::new(&archive, &spec, "right").await];
    let (mut dice, mut told) = (Dice(seed | 1), Vec::new());
    let mut at = Timestamp::from_seconds(1_700_000_000);
    for _ in 0..readings {
        at.0 += 1 + i64::try_from(dice.roll(90_000_000)).expect("small");
        let which = usize::from(dice.roll(2) == 1);
        let hand = &mut hands[which];
        let world = next(&mut dice, &hand.world, 100 * which as i64);
        hand.read(&spec, &world, at).await;
        if dice.roll(12) == 0 {
            hand.writer.compact(at).await.expect("it is compacted");
        }
        let all = hands.iter().flat_map(|hand| hand.world.clone()).collect();
        told.push((at, all));
    }
    let recorded = Recorded::open(archive.clone());
    let builder = Engine::builder().table(recorded.with_past(Arc::new(things))).table(recorded.coverage());
    let engine = recorded.catalogs().into_iter().fold(builder, indago_engine::EngineBuilder::catalog);
    Told { engine: engine.build().await.expect("the engine builds"), archive, told, folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_world_is_read_back() {
    for seed in [3, 1_234_567, 0x5eed_0000_0001] {
        let Told { engine, told, folder: _folder, .. } = told(seed, 40).await;
        let nothing = World::new();
        let mut before = &nothing;
        for (at, world) in &told {
            for (time, world) in [(Timestamp(at.0 - 1), before), (*at, world), (Timestamp(at.0 + 1), world)] {
                let sql = format!("SELECT id, place, state FROM things FOR SYSTEM_TIME AS OF '{time}'");
                let mut found = texts(&engine, &sql).await;
                found.sort();
                assert_eq!(found, shown(world), "seed {seed}: {sql}");
            }
            // Conditions, keys and limits select the same rows.
            let of_state: World = world
                .iter()
                .filter(|(_, thing)| thing.1 == "state 1")
                .map(|(id, thing)| (*id, thing.clone()))
                .collect();
            let sql =
                format!("SELECT id, place, state FROM things FOR SYSTEM_TIME AS OF '{at}' WHERE state = 'state 1'");
            let mut found = texts(&engine, &sql).await;
            found.sort();
            assert_eq!(found, shown(&of_state), "seed {seed}: {sql}");
            let sql = format!("SELECT count(*) FROM things FOR SYSTEM_TIME AS OF '{at}' WHERE id IN (3, 102, 999)");
            let keyed = world.keys().filter(|id| [3, 102, 999].contains(*id)).count();
            assert_eq!(texts(&engine, &sql).await.concat(), [keyed.to_string()], "seed {seed}: {sql}");
            let sql = format!("SELECT id FROM things FOR SYSTEM_TIME AS OF '{at}' LIMIT 2");
            assert_eq!(texts(&engine, &sql).await.len(), world.len().min(2), "seed {seed}: {sql}");
            before = world;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_replayed_from_nothing_are_the_worlds() {
    for seed in [5, 7_654_321, 0xabcd_ef01] {
        let Told { engine, told, folder: _folder, .. } = told(seed, 60).await;
        let sql = "SELECT at, op, id, place, state, changed, before['place'], before['state'] FROM changes.things ORDER BY at";
        let changes = texts(&engine, sql).await;
        let mut replayed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut next = changes.iter().peekable();
        for (at, world) in &told {
            while let Some(change) = next.next_if(|change| change[0] <= at.to_string()) {
                let [_, op, id, place, state, changed, place_before, state_before] = change.as_slice() else {
                    panic!("{change:?}")
                };
                let row = vec![id.clone(), place.clone(), state.clone()];
                match op.as_str() {
                    "added" => assert_eq!(replayed.insert(id.clone(), row), None, "seed {seed}: {change:?}"),
                    "removed" => assert_eq!(replayed.remove(id), Some(row), "seed {seed}: {change:?}"),
                    "modified" => {
                        let old = replayed.insert(id.clone(), row.clone()).expect("it was there");
                        let names: Vec<&str> = [("place", 1), ("state", 2)]
                            .into_iter()
                            .filter(|(_, at)| old[*at] != row[*at])
                            .map(|(name, _)| name)
                            .collect();
                        assert_eq!(*changed, format!("[{}]", names.join(", ")), "seed {seed}: {change:?}");
                        for (name, value, was) in [("place", place_before, &old[1]), ("state", state_before, &old[2])] {
                            let expected = if names.contains(&name) { was.as_str() } else { "NULL" };
                            assert_eq!(value, expected, "seed {seed}: {change:?}");
                        }
                    }
                    other => panic!("{other}"),
                }
            }
            let mut rows: Vec<Vec<String>> = replayed.values().cloned().collect();
            rows.sort();
            assert_eq!(rows, shown(world), "seed {seed}: at {at}");
        }
        assert!(next.next().is_none(), "seed {seed}");
        // A part of the time has a part of the changes, and a row has its own.
        for (part, keep) in [
            (format!("at >= '{}' AND at < '{}'", told[20].0, told[40].0), [told[20].0, told[40].0]),
            ("id = 3".to_owned(), [told[0].0, Timestamp(i64::MAX)]),
        ] {
            let sql = format!("SELECT at, op, id, place, state FROM changes.things WHERE {part} ORDER BY at, id, op");
            let found = texts(&engine, &sql).await;
            let is_kept = |change: &&Vec<String>| match part.starts_with("id") {
                true => change[2] == "3",
                false => (keep[0].to_string()..keep[1].to_string()).contains(&change[0]),
            };
            let mut expected: Vec<Vec<String>> =
                changes.iter().filter(is_kept).map(|change| change[..5].to_vec()).collect();
            expected.sort_by(|a, b| (&a[0], a[2].parse::<i64>().ok(), &a[1]).cmp(&(&b[0], b[2].parse().ok(), &b[1])));
            assert_eq!(found, expected, "seed {seed}: {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_period_are_those_that_existed_in_it() {
    let Told { engine, told, archive, folder: _folder } = told(11, 50).await;
    let all = texts(&engine, "SELECT id, valid_from, valid_to FROM history.things").await;
    let (from, to) = (told[15].0.to_string(), told[30].0.to_string());
    for (period, closed) in
        [(format!("FROM '{from}' TO '{to}'"), false), (format!("BETWEEN '{from}' AND '{to}'"), true)]
    {
        let mut expected: Vec<Vec<String>> = all
            .iter()
            .filter(|row| row[2] == "NULL" || row[2] > from)
            .filter(|row| row[1] < to || closed && row[1] == to)
            .cloned()
            .collect();
        expected.sort();
        let sql = format!("SELECT id, valid_from, valid_to FROM things FOR SYSTEM_TIME {period}");
        let mut found = texts(&engine, &sql).await;
        found.sort();
        assert!(expected.len() < all.len());
        assert_eq!(found, expected, "{sql}");
    }
    assert_eq!(
        texts(&engine, "SELECT count(*) FROM things FOR SYSTEM_TIME ALL").await.concat(),
        [all.len().to_string()]
    );
    // A table of its own, without the live one.
    let recorded = Recorded::open(archive);
    let stored = Engine::builder().catalog(recorded.others()).build().await.expect("the engine builds");
    let (_, newest) = told.last().expect("worlds");
    let mut found = texts(&stored, "SELECT id, place, state FROM things").await;
    found.sort();
    assert_eq!(found, shown(newest));
    let mut found =
        texts(&stored, &format!("SELECT id, place, state FROM things FOR SYSTEM_TIME AS OF '{from}'")).await;
    found.sort();
    assert_eq!(found, shown(&told[15].1));
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_were_not_recorded_are_reported() {
    let Told { engine, told, folder: _folder, .. } = told(13, 10).await;
    let sql = format!("SELECT count(*) FROM things FOR SYSTEM_TIME AS OF '{}'", told[3].0);
    // Nobody recorded coverage.
    let strict = QueryOptions { strict: true, ..QueryOptions::default() };
    let query = engine.query_with(&sql, strict).await.expect("it is planned");
    let error = query.collect().await.expect_err("incomplete");
    assert_eq!(error.code(), indago_engine::Code::Incomplete);
    assert!(error.to_string().contains("table `things` is not recorded in"), "{error}");
}

/// Bytes that a query reads.
async fn bytes(engine: &Engine, sql: &str) -> u64 {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    query.scans().iter().map(|scan| scan.bytes).sum()
}

/// A hundred things at a time, each time others: files differ in time and in keys. A file with versions that were open when
/// it was written may have rows of any later time.
#[tokio::test(flavor = "multi_thread")]
async fn times_and_keys_select_the_files_that_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::open(&folder.path().to_string_lossy()).await.expect("it opens");
    let things = Things::new();
    let spec = things.0.clone();
    let mut hand = Hand::new(&archive, &spec, "only").await;
    let start = Timestamp::from_seconds(1_700_000_000);
    let minute = |minute: i64| Timestamp(start.0 + minute * 60_000_000);
    for generation in 0..12 {
        let world = (0..100).map(|id| (generation * 1000 + id, (None, format!("{generation:0>300}"), id))).collect();
        hand.read(&spec, &world, minute(generation)).await;
    }
    let recorded = Recorded::open(archive);
    let builder = Engine::builder().table(recorded.with_past(Arc::new(things)));
    let engine = recorded.catalogs().into_iter().fold(builder, indago_engine::EngineBuilder::catalog);
    let engine = engine.build().await.expect("the engine builds");
    // The ends of versions are read once.
    bytes(&engine, "SELECT count(*) FROM history.things").await;
    let (history, changes) = ("SELECT state FROM history.things", "SELECT op, state FROM changes.things");
    let (first, second) = (minute(0), minute(1));
    for (all, some) in [
        (history, format!("SELECT state FROM things FOR SYSTEM_TIME FROM '{first}' TO '{second}'")),
        (history, format!("SELECT state FROM things FOR SYSTEM_TIME AS OF '{first}'")),
        (history, format!("{history} WHERE valid_from <= '{first}'")),
        (history, format!("{history} WHERE id = 5050")),
        (changes, format!("{changes} WHERE at <= '{first}'")),
        (changes, format!("{changes} WHERE id = 5050")),
    ] {
        let (all, part) = (bytes(&engine, all).await, bytes(&engine, &some).await);
        assert!(part > 0 && part * 3 < all, "{some}: {part} of {all} bytes");
    }
}
