//! Recorders of a world that changes, over local stores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow_array::builder::{ArrayBuilder, Int64Builder, TimestampMicrosecondBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringViewArray};
use futures::StreamExt;
use indago_config::Period;
use indago_engine::Engine;
use indago_table::scan::BoxFuture;
use indago_table::{
    AnyRow, ColumnSpec, Completeness, EventLimits, EventSource, Events, Kind, Outcome, Reading as SliceReading,
    ScanContext, Slice, Table, TableSpec, Timestamp, Warning,
};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::archive::tests::fault::{Fault, Faulty};
use crate::archive::tests::open_at;
use crate::archive::{Piece, Read, Span};
use crate::past::Recorded;
use crate::recorder::clock::Now;

/// How a cluster answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Complete,
    /// Its first rows, then an error.
    Half,
    /// Every second row; the others may not be read.
    Denied,
    Refused,
}

/// The rows of each cluster: id, value and a counter.
type Rows = BTreeMap<i64, (String, i64)>;

#[derive(Debug, Default)]
struct State {
    clusters: BTreeMap<String, (Rows, Option<Answer>)>,
    reads: u32,
}

#[derive(Debug, Clone)]
struct World {
    spec: Arc<TableSpec>,
    state: Arc<Mutex<State>>,
}

impl World {
    fn new() -> Self {
        let column = |name: &'static str, kind| ColumnSpec::new(name, kind, "A column.");
        let mut counter = column("counter", Kind::BigInt);
        counter.volatile = true;
        let columns =
            vec![column("cluster", Kind::Text), column("id", Kind::BigInt), column("value", Kind::Text), counter];
        let mut spec = TableSpec::new("world", "test", "A world.", columns);
        spec.identity = vec!["cluster".into(), "id".into()].into();
        World { spec: Arc::new(spec), state: Arc::default() }
    }

    fn set(&self, cluster: &str, rows: Rows, answer: Answer) {
        self.state.lock().clusters.insert(cluster.to_owned(), (rows, Some(answer)));
    }
}

impl Table for World {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> indago_table::Result<Vec<Slice>> {
        let schema = self.spec.schema();
        let mut state = self.state.lock();
        state.reads += 1;
        // Like the tables of clusters, whose slices are named after the request.
        let request = if state.reads.is_multiple_of(2) { "GET" } else { "WATCH" };
        let slice = |(cluster, (rows, answer)): (&String, &(Rows, Option<Answer>))| {
            let (name, rows, answer) = (cluster.clone(), rows.clone(), answer.unwrap_or(Answer::Complete));
            let label = format!("{cluster} {request}");
            let shown_label = label.clone();
            let (schema, columns, query) = (schema.clone(), context.columns.clone(), context.query.clone());
            let read = move |sink: &mut dyn indago_table::Sink| {
                let shown = match answer {
                    Answer::Complete => rows.len(),
                    Answer::Half => rows.len() / 2,
                    Answer::Denied => rows.len(),
                    Answer::Refused => 0,
                };
                let is_shown = |(id, _): &(&i64, &(String, i64))| answer != Answer::Denied || **id % 2 == 0;
                let rows: Vec<(&i64, &(String, i64))> = rows.iter().filter(is_shown).take(shown).collect();
                let columns_of: Vec<ArrayRef> = vec![
                    Arc::new(rows.iter().map(|_| Some(name.as_str())).collect::<StringViewArray>()),
                    Arc::new(rows.iter().map(|(id, _)| Some(**id)).collect::<Int64Array>()),
                    Arc::new(rows.iter().map(|(_, (value, _))| Some(value.as_str())).collect::<StringViewArray>()),
                    Arc::new(rows.iter().map(|(_, (_, counter))| Some(*counter)).collect::<Int64Array>()),
                ];
                let batch = RecordBatch::try_new(schema, columns_of).and_then(|batch| batch.project(&columns));
                sink.blocking_send(batch.expect("the table's columns"));
                match answer {
                    Answer::Complete => Ok(()),
                    Answer::Half | Answer::Refused => Err(indago_table::Error::Unavailable("refused".to_owned())),
                    Answer::Denied => {
                        let warning = Warning {
                            table: "world".to_owned(),
                            origin: label.clone(),
                            outcome: Outcome::Denied,
                            message: "odd rows are denied".to_owned(),
                            needs: None,
                            count: 1,
                            lines: None,
                        };
                        query.add(&label, Completeness::Partial, warning);
                        Ok(())
                    }
                }
            };
            let mut slice = Slice::new(shown_label, SliceReading::Blocking(Box::new(read)));
            slice.known.insert("cluster".to_owned(), cluster.clone());
            slice
        };
        Ok(state.clusters.iter().map(slice).collect())
    }
}

/// A clock that the test sets, in seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Hands {
    wall: Arc<AtomicI64>,
    running: Arc<AtomicI64>,
}

impl Hands {
    /// Time passes.
    pub(super) fn pass(&self, seconds: i64) {
        self.wall.fetch_add(seconds, Ordering::Relaxed);
        self.running.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Somebody sets the clock.
    pub(super) fn step(&self, seconds: i64) {
        self.wall.fetch_add(seconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::of(move || {
            let running = Duration::from_secs(hands.running.load(Ordering::Relaxed) as u64);
            Now { wall: Timestamp::from_seconds(hands.wall.load(Ordering::Relaxed)), running: Some((running, running)) }
        })
    }
}

pub(super) fn settings(table: &str) -> Settings {
    let recording = Recording {
        tables: vec![table.to_owned()],
        every: Period::seconds(30),
        sample: Some(Period::seconds(100_000)),
        ..Recording::default()
    };
    let record = Record { writer: Some("here".to_owned()), ..Record::default() };
    Settings { record, recording: BTreeMap::from([("all".to_owned(), recording)]) }
}

pub(super) async fn recorder(
    engine: &Engine,
    dir: &std::path::Path,
    hands: &Hands,
    settings: &Settings,
) -> Result<Recorder> {
    let archive = Archive::open(&dir.display().to_string()).await?;
    let mut recorder = Recorder::open(engine.clone(), archive, settings).await?;
    assert_eq!(recorder.problems(), [""; 0]);
    Arc::get_mut(&mut recorder.common).expect("nobody else has it").clock = hands.clock();
    Ok(recorder)
}

/// One reading of all tables, as a recorder that runs does it.
pub(super) async fn read(recorder: &mut Recorder) -> TableReading {
    let mut last = TableReading::default();
    for unit in &mut recorder.units {
        let (recorded, over) = unit.read(&recorder.common).await.expect("no other recorder");
        recorder.board.set(&recorded.table, unit.tracks(), over);
        last = recorded;
    }
    recorder.board.beat(&recorder.common, &mut None, false).await.expect("written");
    last
}

/// The versions of a table that lived at a time: cluster, id and value.
async fn as_of(archive: &Archive, span: Span) -> Vec<(String, i64, String, i64, Option<i64>)> {
    let names = ["cluster", "id", "value"].map(str::to_owned).to_vec();
    let snapshot = archive.snapshot("world").await.expect("readable").expect("recorded");
    let mut pieces = snapshot.read(Read::new(span, names));
    let mut rows = Vec::new();
    while let Some(piece) = pieces.next().await {
        let Piece::Rows(batch) = piece.expect("read") else { panic!("damaged") };
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name).expect("a column");
            arrow_cast::display::array_value_to_string(column, row).expect("text")
        };
        let time = |name: &str, row: usize| {
            let times = batch.column_by_name(name).expect("a column").as_primitive::<TimestampMicrosecondType>();
            (!times.is_null(row)).then(|| times.value(row))
        };
        let ids = batch.column_by_name("id").expect("a column").as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let from = time("valid_from", row).expect("a start");
            rows.push((text("cluster", row), ids.value(row), text("value", row), from, time("valid_to", row)));
        }
    }
    rows.sort();
    rows
}

fn some_rows(random: &mut StdRng) -> Rows {
    let count = random.random_range(0..12);
    let row = |random: &mut StdRng| {
        let value = format!("v{}", random.random_range(0..3));
        (random.random_range(0..16), (value, random.random_range(0..1000)))
    };
    (0..count).map(|_| row(random)).collect()
}

/// For every reading, the rows AS OF its time are those of the last complete reading of each cluster, and the new ones
/// of incomplete readings.
#[tokio::test]
async fn a_random_world_is_read_back_as_it_was_at_each_reading() {
    for seed in 0..6 {
        let mut random = StdRng::seed_from_u64(seed);
        let folder = tempfile::tempdir().expect("a directory");
        let world = World::new();
        for cluster in ["a", "b"] {
            world.set(cluster, Rows::new(), Answer::Complete);
        }
        let engine = Engine::builder().table(Arc::new(world.clone())).build().await.expect("an engine");
        let hands = Hands::default();
        hands.pass(1_000_000);
        let settings = settings("world");
        let mut now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened");
        let mut model: BTreeMap<(String, i64), String> = BTreeMap::new();
        let mut expected = Vec::new();
        for _ in 0..25 {
            hands.pass(random.random_range(1..60));
            match random.random_range(0..12) {
                0 => hands.step(-3600),
                1 => hands.step(3600),
                2 | 3 => {
                    // Killed and started again.
                    drop(now);
                    now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened again");
                }
                _ => {}
            }
            for cluster in ["a", "b"] {
                let before = world.state.lock().clusters[cluster].0.clone();
                let rows = if random.random_range(0..3) == 0 { before } else { some_rows(&mut random) };
                let answer = match random.random_range(0..8) {
                    0 => Answer::Half,
                    1 => Answer::Refused,
                    _ => Answer::Complete,
                };
                world.set(cluster, rows.clone(), answer);
                let key = |id: &i64| (cluster.to_owned(), *id);
                match answer {
                    Answer::Complete => {
                        model.retain(|(known, _), _| known != cluster);
                        model.extend(rows.iter().map(|(id, (value, _))| (key(id), value.clone())));
                    }
                    Answer::Half => {
                        for (id, (value, _)) in rows.iter().take(rows.len() / 2) {
                            model.entry(key(id)).or_insert_with(|| value.clone());
                        }
                    }
                    _ => {}
                }
            }
            let recorded = read(&mut now).await;
            assert_eq!(recorded.failure, None);
            let rows: Vec<_> =
                model.iter().map(|((cluster, id), value)| (cluster.clone(), *id, value.clone())).collect();
            expected.push((recorded.at.expect("a time"), rows));
        }
        let archive = Archive::open(&folder.path().display().to_string()).await.expect("opened");
        for (at, rows) in &expected {
            let found = as_of(&archive, Span::AsOf(*at)).await;
            let found: Vec<_> = found.into_iter().map(|(cluster, id, value, ..)| (cluster, id, value)).collect();
            assert_eq!(found, *rows, "seed {seed}, at {at}");
        }
        for (cluster, id, _, from, to) in as_of(&archive, Span::Between { from: None, to: None }).await {
            assert!(to.is_none_or(|to| to > from), "{cluster} {id} from {from} to {to:?}");
        }
        assert!(expected.is_sorted_by(|(a, _), (b, _)| a < b), "readings follow each other");
    }
}

fn rows(ids: impl IntoIterator<Item = i64>) -> Rows {
    ids.into_iter().map(|id| (id, ("v".to_owned(), 0))).collect()
}

async fn shown(archive: &Archive) -> Vec<String> {
    let mut all = coverage(archive).await.expect("readable");
    all.sort_by_key(|interval| (interval.origin.clone(), interval.from, interval.to));
    let line = |interval: &Interval| {
        let (from, to) = (interval.from.seconds() - 1_000_000, interval.to.seconds() - 1_000_000);
        let gap = interval.gap.as_deref().map(|gap| format!(" {gap}")).unwrap_or_default();
        format!("{} {from}-{to} {} {}{gap}", interval.origin, interval.how.name(), interval.readings)
    };
    all.iter().map(line).collect()
}

#[tokio::test]
async fn outages_and_times_without_a_recorder_are_gaps() {
    let folder = tempfile::tempdir().expect("a directory");
    let (world, hands) = (World::new(), Hands::default());
    world.set("a", rows(0..4), Answer::Complete);
    world.set("b", rows(0..4), Answer::Complete);
    let engine = Engine::builder().table(Arc::new(world.clone())).build().await.expect("an engine");
    hands.pass(1_000_000);
    let settings = settings("world");
    let mut now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened");
    read(&mut now).await;
    hands.pass(30);
    read(&mut now).await;
    world.set("b", rows(0..2), Answer::Refused);
    for _ in 0..2 {
        hands.pass(30);
        read(&mut now).await;
    }
    world.set("b", rows(0..2), Answer::Complete);
    hands.pass(30);
    read(&mut now).await;
    drop(now);
    hands.pass(600);
    let mut now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened");
    read(&mut now).await;
    hands.pass(30);
    read(&mut now).await;
    let archive = now.common.archive.clone();
    assert_eq!(
        shown(&archive).await,
        [
            "cluster=a 0-120 poll 5",
            "cluster=a 120-720 poll 0 the recorder was not running",
            "cluster=a 720-750 poll 2",
            "cluster=b 0-30 poll 2",
            "cluster=b 30-120 poll 2 failed: refused",
            "cluster=b 120-120 poll 1",
            "cluster=b 120-720 poll 0 the recorder was not running",
            "cluster=b 720-750 poll 2",
        ]
    );
    // Many intervals move into a table.
    let many = Interval { origin: "c".to_owned(), ..coverage(&archive).await.expect("readable")[0].clone() };
    let over = (0..300).map(|number| Interval { from: Timestamp(number), ..many.clone() }).collect();
    now.board.set("world", now.units[0].tracks(), over);
    now.board.beat(&now.common, &mut None, false).await.expect("written");
    let all = coverage(&archive).await.expect("readable");
    assert_eq!(all.iter().filter(|interval| interval.origin == "c").count(), 300);
    assert_eq!(all.len(), 308);
    assert_eq!(archive.tables().await.expect("listed"), [board::COVERAGE, "world"]);
}

#[tokio::test]
async fn rows_that_a_new_restriction_hides_stay_until_it_is_lifted() {
    let folder = tempfile::tempdir().expect("a directory");
    let (world, hands) = (World::new(), Hands::default());
    let engine = Engine::builder().table(Arc::new(world.clone())).build().await.expect("an engine");
    hands.pass(1_000_000);
    let settings = settings("world");
    let mut now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened");
    let archive = now.common.archive.clone();
    let steps = [
        // Rows, how they are read, and the ids that are recorded then.
        (vec![1, 2, 3, 4], Answer::Complete, vec![1, 2, 3, 4]),
        (vec![1, 2, 3, 4], Answer::Denied, vec![1, 2, 3, 4]),
        // 4 was visible under the restriction, so it is gone. Of 3 nothing is known.
        (vec![1, 2, 6], Answer::Denied, vec![1, 2, 3, 6]),
        // 6 began under the restriction, so it was visible.
        (vec![1, 2], Answer::Denied, vec![1, 2, 3]),
        (vec![1, 2], Answer::Complete, vec![1, 2]),
    ];
    for (number, (ids, answer, expected)) in steps.into_iter().enumerate() {
        world.set("a", rows(ids), answer);
        hands.pass(30);
        if number == 3 {
            // A new recorder knows the restriction of the last one.
            drop(now);
            now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened");
        }
        let at = read(&mut now).await.at.expect("a time");
        let found: Vec<i64> = as_of(&archive, Span::AsOf(at)).await.into_iter().map(|row| row.1).collect();
        assert_eq!(found, expected, "step {number}");
    }
}

/// The files of a directory, except those that a recorder replaces with each heartbeat.
fn files(folder: &std::path::Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("listed") {
        let path = entry.expect("listed").path();
        match path.is_dir() {
            true if path.ends_with("_state") => {}
            true => all.extend(files(&path)),
            false => all.push(path.display().to_string()),
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn an_unchanged_reading_writes_nothing_and_two_recorders_do_not_share_a_name() {
    let folder = tempfile::tempdir().expect("a directory");
    let (world, hands) = (World::new(), Hands::default());
    world.set("a", rows(0..1000), Answer::Complete);
    let engine = Engine::builder().table(Arc::new(world.clone())).build().await.expect("an engine");
    hands.pass(1_000_000);
    let settings = settings("world");
    let mut now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened");
    read(&mut now).await;
    let before = files(folder.path());
    for counter in 1..4 {
        let counted = rows(0..1000).into_iter().map(|(id, (value, _))| (id, (value, counter))).collect();
        world.set("a", counted, Answer::Complete);
        hands.pass(30);
        assert_eq!(read(&mut now).await.modified, 0);
    }
    assert_eq!(files(folder.path()), before);
    let error = recorder(&engine, folder.path(), &hands, &settings).await.expect_err("the name is in use").to_string();
    assert!(error.contains("another recorder records here as `here`; stop it"), "{error}");
    let mut other = settings.clone();
    other.record.writer = Some("there".to_owned());
    let mut second = recorder(&engine, folder.path(), &hands, &other).await.expect("another name");
    assert_eq!(read(&mut second).await.added, 1000);
    drop(now);
    recorder(&engine, folder.path(), &hands, &settings).await.expect("the name is free");
}

/// A bell that rings when the test says so.
#[derive(Debug)]
struct Bell(tokio::sync::Mutex<mpsc::UnboundedReceiver<(i64, oneshot::Sender<()>)>>);

impl EventSource for Bell {
    fn spec(&self) -> TableSpec {
        let columns =
            vec![ColumnSpec::new("at", Kind::Timestamp, "When."), ColumnSpec::new("number", Kind::BigInt, "Which.")];
        TableSpec::new("rings", "test", "Rings.", columns)
    }

    fn listen<'a>(&'a self, events: &'a Events) -> BoxFuture<'a, indago_table::Result<()>> {
        Box::pin(async move {
            let mut rings = self.0.lock().await;
            while let Some((number, heard)) = rings.recv().await {
                events.emit(Ring(number), 0);
                let _ = heard.send(());
            }
            Ok(())
        })
    }
}

/// A ring, at a second.
struct Ring(i64);

impl AnyRow for Ring {
    fn append(&self, column: usize, builder: &mut dyn ArrayBuilder) {
        let builder = builder.as_any_mut();
        match column {
            0 => {
                let times = builder.downcast_mut::<TimestampMicrosecondBuilder>().expect("a time");
                times.append_value(self.0 * 1_000_000);
            }
            _ => builder.downcast_mut::<Int64Builder>().expect("a number").append_value(self.0),
        }
    }

    fn key(&self, _column: usize) -> Option<indago_table::Scalar> {
        None
    }
}

#[tokio::test]
async fn events_are_versions_that_begin_and_end_at_their_time() {
    let folder = tempfile::tempdir().expect("a directory");
    let (sender, receiver) = mpsc::unbounded_channel();
    let builder = Engine::builder().events(Bell(tokio::sync::Mutex::new(receiver)), EventLimits::default());
    let engine = builder.build().await.expect("an engine");
    engine.start_events();
    let ring = async |number: i64| {
        let (heard, is_heard) = oneshot::channel();
        sender.send((number, heard)).expect("it listens");
        is_heard.await.expect("it listens");
    };
    let hands = Hands::default();
    hands.pass(1_000_000);
    let mut now = recorder(&engine, folder.path(), &hands, &settings("rings")).await.expect("opened");
    for (numbers, expected) in [(1..3, 2), (3..3, 0), (3..7, 4)] {
        for number in numbers {
            ring(number).await;
        }
        hands.pass(30);
        assert_eq!(read(&mut now).await.added, expected);
    }
    let snapshot = now.common.archive.snapshot("rings").await.expect("readable").expect("recorded");
    let mut times = Vec::new();
    let mut pieces = snapshot.read(Read::new(Span::Between { from: None, to: None }, vec!["number".to_owned()]));
    while let Some(piece) = pieces.next().await {
        let Piece::Rows(batch) = piece.expect("read") else { panic!("damaged") };
        let column = |name: &str| {
            batch.column_by_name(name).expect("a column").as_primitive::<TimestampMicrosecondType>().values().to_vec()
        };
        assert_eq!(column("valid_from"), column("valid_to"));
        times.extend(column("valid_from").iter().map(|time| time / 1_000_000));
    }
    times.sort();
    assert_eq!(times, [1, 2, 3, 4, 5, 6]);
    // Read with SQL: next to the live table, and without it.
    let numbers = async |engine: &Engine, sql: &str| -> Vec<i64> {
        let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let columns = batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        let mut numbers: Vec<i64> = columns.flatten().collect();
        numbers.sort_unstable();
        numbers
    };
    let recorded = Recorded::open(now.common.archive.clone());
    let (_sender, silent) = mpsc::unbounded_channel();
    let builder = Engine::builder().events(Bell(tokio::sync::Mutex::new(silent)), EventLimits::default());
    let others = Engine::builder().catalog(recorded.others()).build().await.expect("an engine");
    let beside = builder.event_tables(move |events| recorded.with_past(events)).build().await.expect("an engine");
    assert_eq!(numbers(&beside, "SELECT number FROM rings").await, [0; 0], "the buffer of this program");
    for (clause, expected) in [
        ("AS OF '1970-01-01 00:00:03'", &[1, 2, 3][..]),
        ("AS OF '1970-01-01 00:00:03.9'", &[1, 2, 3]),
        ("AS OF '1970-01-01 00:00:00'", &[]),
        ("AS OF now()", &[1, 2, 3, 4, 5, 6]),
        ("FROM '1970-01-01 00:00:02' TO '1970-01-01 00:00:04'", &[2, 3]),
        ("BETWEEN '1970-01-01 00:00:02' AND '1970-01-01 00:00:04'", &[2, 3, 4]),
        ("ALL", &[1, 2, 3, 4, 5, 6]),
    ] {
        let sql = format!("SELECT number FROM rings FOR SYSTEM_TIME {clause}");
        assert_eq!(numbers(&beside, &sql).await, expected, "{sql}");
        assert_eq!(numbers(&others, &sql).await, expected, "{sql}");
    }
    assert_eq!(numbers(&others, "SELECT number FROM rings WHERE number > 4").await, [5, 6]);
}

/// An object store refuses all requests for ten minutes, and then every second one.
#[tokio::test]
async fn ten_minutes_of_throttling_are_a_gap_and_lose_nothing_that_was_acknowledged() {
    let store = Faulty::new(Arc::new(object_store::memory::InMemory::new()), Fault::None, 0);
    let archive = open_at(store.clone()).await.expect("an empty store");
    let (world, hands) = (World::new(), Hands::default());
    let (sender, receiver) = mpsc::unbounded_channel();
    let builder = Engine::builder().table(Arc::new(world.clone()));
    let builder = builder.events(Bell(tokio::sync::Mutex::new(receiver)), EventLimits::default());
    let engine = builder.build().await.expect("an engine");
    engine.start_events();
    hands.pass(1_000_000);
    let mut settings = settings("world");
    settings.recording.get_mut("all").expect("a group").tables.push("rings".to_owned());
    let mut now = Recorder::open(engine, archive.clone(), &settings).await.expect("opened");
    Arc::get_mut(&mut now.common).expect("nobody else has it").clock = hands.clock();
    let mut random = StdRng::seed_from_u64(7);
    let (mut acknowledged, mut refused, mut half_refused) = (Vec::new(), 0, 0);
    // Each reading is 30 seconds after the one before it.
    let phases = [(0_u64, 6), (1, 20), (0, 4), (2, 20), (0, 4)];
    let mut rung = 0;
    for (throttled, readings) in phases {
        store.throttled.store(throttled, Ordering::SeqCst);
        for _ in 0..readings {
            hands.pass(30);
            let clusters: Vec<(&str, Rows)> = ["a", "b"].map(|cluster| (cluster, some_rows(&mut random))).into();
            clusters.iter().for_each(|(cluster, rows)| world.set(cluster, rows.clone(), Answer::Complete));
            rung += 1;
            let (heard, is_heard) = oneshot::channel();
            sender.send((rung, heard)).expect("it listens");
            is_heard.await.expect("it listens");
            for unit in &mut now.units {
                let (recorded, over) = unit.read(&now.common).await.expect("no other recorder");
                now.board.set(&recorded.table, unit.tracks(), over);
                match &recorded.failure {
                    Some(failure) => {
                        assert!(failure.contains("could not be stored"), "{failure}");
                        // Nothing waits in memory: the next reading compares with the store.
                        assert!(unit.live.is_none());
                        refused += u32::from(throttled == 1);
                        half_refused += u32::from(throttled == 2);
                    }
                    None if recorded.table == "world" => {
                        let rows = clusters.iter().flat_map(|(cluster, rows)| {
                            rows.iter().map(|(id, (value, _))| ((*cluster).to_owned(), *id, value.clone()))
                        });
                        acknowledged.push((recorded.at.expect("a time"), rows.collect::<Vec<_>>()));
                    }
                    None => {}
                }
            }
            let beat = now.board.beat(&now.common, &mut None, false).await;
            assert!(throttled > 0 || beat.is_ok(), "{beat:?}");
            assert!(now.board.waiting() < 64, "the intervals of an outage are few");
        }
    }
    // Two tables.
    assert_eq!(refused, 40);
    assert!(half_refused > 10, "{half_refused}");
    assert!(acknowledged.len() >= 14, "{}", acknowledged.len());
    for (at, rows) in &acknowledged {
        let found = as_of(&archive, Span::AsOf(*at)).await;
        let found: Vec<_> = found.into_iter().map(|(cluster, id, value, ..)| (cluster, id, value)).collect();
        assert_eq!(found, *rows, "at {at}");
    }
    let coverage = shown(&archive).await;
    let gap = coverage.iter().find(|line| line.starts_with("cluster=a 180-810 "));
    assert!(gap.is_some_and(|line| line.contains("it could not be stored")), "{coverage:?}");
    // Events wait in their buffer, and are stored once.
    let snapshot = archive.snapshot("rings").await.expect("readable").expect("recorded");
    let mut pieces = snapshot.read(Read::new(Span::Between { from: None, to: None }, vec!["number".to_owned()]));
    let mut numbers: Vec<i64> = Vec::new();
    while let Some(piece) = pieces.next().await {
        let Piece::Rows(batch) = piece.expect("read") else { panic!("damaged") };
        numbers.extend(batch.column_by_name("number").expect("a column").as_primitive::<Int64Type>().values());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=rung).collect::<Vec<_>>());
}

/// The intervals of the coverage are kept as long as any table's rows, or up to a size.
#[tokio::test]
async fn the_coverage_is_compacted_and_its_old_intervals_are_removed() {
    const DAY: i64 = 24 * 3600;
    let (world, hands) = (World::new(), Hands::default());
    world.set("a", rows(0..4), Answer::Complete);
    let engine = Engine::builder().table(Arc::new(world.clone())).build().await.expect("an engine");
    hands.pass(100 * DAY);
    for (age, size) in [(Some(2), None), (None, Some(60_000)), (None, None)] {
        let folder = tempfile::tempdir().expect("a directory");
        let mut settings = settings("world");
        settings.record.retain = Period::seconds(age.unwrap_or(0) * DAY as u64);
        settings.record.retain_size = size.map(indago_config::Size);
        let mut now = recorder(&engine, folder.path(), &hands, &settings).await.expect("opened");
        read(&mut now).await;
        let archive = now.common.archive.clone();
        let one = coverage(&archive).await.expect("readable")[0].clone();
        let (mut table, mut reader) = (None, None);
        let mut most = 0;
        for round in 0..60 {
            hands.pass(DAY / 4);
            let to = now.common.clock.now().wall;
            let interval = |number: i64| Interval {
                origin: format!("slice {number}"),
                from: Timestamp(to.0 - 1000 * number - 1000),
                to,
                gap: Some(format!("gap {round}")),
                ..one.clone()
            };
            now.board.set("world", now.units[0].tracks(), (0..300).map(interval).collect());
            now.board.beat(&now.common, &mut table, false).await.expect("written");
            let snapshot = archive.snapshot(board::COVERAGE).await.expect("readable").expect("recorded");
            most = most.max(snapshot.size().0);
            if round == 20 {
                // A reader that takes its time.
                let known = coverage(&archive).await.expect("readable").len() - 1;
                reader = Some((snapshot, known));
            }
        }
        let all = coverage(&archive).await.expect("readable");
        let to = now.common.clock.now().wall;
        let oldest = all.iter().filter(|interval| interval.gap.is_some()).map(|interval| interval.to.0).min();
        let days = (to.0 - oldest.expect("intervals")) / 1_000_000 / DAY;
        let snapshot = archive.snapshot(board::COVERAGE).await.expect("readable").expect("recorded");
        let (files, bytes) = snapshot.size();
        match (age, size) {
            (Some(_), _) => assert!((2..=5).contains(&days), "{days} days, {files} files"),
            (_, Some(limit)) => assert!(days < 14 && bytes < limit + 40_000, "{days} days, {bytes} bytes"),
            _ => assert_eq!(days, 14, "all of it"),
        }
        assert!(most < 40, "{most} files");
        let (snapshot, known) = reader.expect("a reader");
        let mut pieces = snapshot.read(Read::new(Span::Between { from: None, to: None }, Vec::new()));
        let mut count = 0;
        while let Some(piece) = pieces.next().await {
            let Piece::Rows(batch) = piece.expect("read") else { panic!("a file is gone") };
            count += batch.num_rows();
        }
        assert_eq!(count, known, "a reader that began long ago has the intervals of then");
    }
}
