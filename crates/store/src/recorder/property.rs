//! Random worlds, recorded at random times and read back with SQL.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use indago_table::{ColumnSpec, Kind, Reading as SliceReading, ScanContext, Slice, Table, TableSpec, Timestamp};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::tests::{Hands, read, recorder, settings};
use super::*;
use crate::past::Recorded;

/// The columns that are compared.
const COLUMNS: [&str; 6] = ["cluster", "id", "kind", "value", "weight", "extra"];

/// The type of the column `extra`, which a later version of the table has, and another version has as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    Absent,
    Number,
    Text,
}

/// A row: its identity, its values, and a counter. All of them can be NULL, and several rows can have one identity.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: Option<i64>,
    kind: Option<&'static str>,
    value: Option<String>,
    weight: Option<f64>,
    extra: Option<i64>,
    counter: i64,
}

/// The rows of each cluster; `None` if it cannot be read.
type State = BTreeMap<&'static str, Option<Vec<Row>>>;

#[derive(Debug, Clone)]
struct World {
    spec: Arc<TableSpec>,
    extra: Extra,
    state: Arc<Mutex<State>>,
}

impl World {
    fn new(extra: Extra, state: &Arc<Mutex<State>>) -> Self {
        let column = |name: &'static str, kind| {
            let mut column = ColumnSpec::new(name, kind, "A column.");
            column.nullable = name != "cluster";
            column
        };
        let mut counter = column("counter", Kind::BigInt);
        counter.volatile = true;
        let mut columns = vec![
            column("cluster", Kind::Text),
            column("id", Kind::BigInt),
            column("kind", Kind::Text),
            column("value", Kind::Text),
            column("weight", Kind::Double),
            counter,
        ];
        match extra {
            Extra::Absent => {}
            Extra::Number => columns.insert(2, column("extra", Kind::BigInt)),
            Extra::Text => columns.push(column("extra", Kind::Text)),
        }
        let mut spec = TableSpec::new("world", "test", "A world.", columns);
        spec.identity = vec!["cluster".into(), "id".into(), "kind".into()].into();
        World { spec: Arc::new(spec), extra, state: state.clone() }
    }

    fn batch(&self, cluster: &str, rows: &[Row]) -> RecordBatch {
        let column = |name: &str| -> ArrayRef {
            match name {
                "cluster" => Arc::new(rows.iter().map(|_| Some(cluster)).collect::<StringViewArray>()),
                "id" => Arc::new(rows.iter().map(|row| row.id).collect::<Int64Array>()),
                "kind" => Arc::new(rows.iter().map(|row| row.kind).collect::<StringViewArray>()),
                "value" => Arc::new(rows.iter().map(|row| row.value.as_deref()).collect::<StringViewArray>()),
                "weight" => Arc::new(rows.iter().map(|row| row.weight).collect::<Float64Array>()),
                "counter" => Arc::new(rows.iter().map(|row| Some(row.counter)).collect::<Int64Array>()),
                _ if self.extra == Extra::Number => Arc::new(rows.iter().map(|row| row.extra).collect::<Int64Array>()),
                _ => Arc::new(rows.iter().map(|row| row.extra.map(|n| n.to_string())).collect::<StringViewArray>()),
            }
        };
        let arrays = self.spec.columns.iter().map(|spec| column(&spec.name)).collect();
        RecordBatch::try_new(self.spec.schema(), arrays).expect("the columns of the table")
    }
}

impl Table for World {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn slices(&self, context: &ScanContext) -> indago_table::Result<Vec<Slice>> {
        let state = self.state.lock().clone();
        let slice = |(cluster, rows): (&'static str, Option<Vec<Row>>)| {
            let (world, columns) = (self.clone(), context.columns.clone());
            let read = move |sink: &mut dyn indago_table::Sink| match rows {
                None => Err(indago_table::Error::Unavailable("refused".to_owned())),
                Some(rows) => {
                    // Rows of one identity can be in two batches.
                    for some in rows.chunks(5) {
                        let batch = world.batch(cluster, some).project(&columns);
                        sink.blocking_send(batch.expect("the table's columns"));
                    }
                    Ok(())
                }
            };
            let mut slice = Slice::new(cluster, SliceReading::Blocking(Box::new(read)));
            slice.known.insert("cluster".to_owned(), cluster.to_owned());
            slice
        };
        Ok(state.into_iter().map(slice).collect())
    }
}

fn some_row(random: &mut StdRng) -> Row {
    let kinds = [None, Some(""), Some("k"), Some("NULL")];
    let weights = [None, Some(f64::NAN), Some(0.0), Some(-0.0), Some(1.5), Some(f64::INFINITY), Some(-f64::NAN)];
    Row {
        id: Some(random.random_range(-1..6)).filter(|id| *id >= 0),
        kind: kinds[random.random_range(0..kinds.len())],
        value: Some(random.random_range(0..4)).filter(|value| *value > 0).map(|value| format!("v{value}")),
        weight: weights[random.random_range(0..weights.len())],
        extra: Some(random.random_range(0..3)).filter(|extra| *extra > 0),
        counter: random.random_range(0..1000),
    }
}

/// The next rows of a cluster: some are added, removed, changed or doubled, and their order is another one.
fn next(random: &mut StdRng, rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for _ in 0..random.random_range(0..5) {
        match random.random_range(0..6) {
            0 | 1 => rows.push(some_row(random)),
            2 if !rows.is_empty() => drop(rows.swap_remove(random.random_range(0..rows.len()))),
            3 if !rows.is_empty() => {
                // The same identity, and other values.
                let at = random.random_range(0..rows.len());
                rows[at] = Row { id: rows[at].id, kind: rows[at].kind, ..some_row(random) };
            }
            4 if !rows.is_empty() => rows.push(rows[random.random_range(0..rows.len())].clone()),
            5 => rows.clear(),
            _ => {}
        }
    }
    rows.iter_mut().for_each(|row| row.counter += random.random_range(0..2));
    rows.shuffle(random);
    rows
}

/// A row as the query shows it.
type Shown = Vec<String>;

fn text(value: Option<impl ToString>) -> String {
    value.map_or("<NULL>".to_owned(), |value| value.to_string())
}

fn shown(cluster: &str, row: &Row, extra: Extra) -> Shown {
    // A store has NULL in place of NaN.
    let weight = row.weight.filter(|weight| !weight.is_nan());
    let weight = weight.map(|weight| if weight.is_finite() { format!("{weight:?}") } else { "inf".to_owned() });
    let extra = row.extra.filter(|_| extra != Extra::Absent);
    vec![cluster.to_owned(), text(row.id), text(row.kind), text(row.value.as_ref()), text(weight), text(extra)]
}

async fn texts(engine: &Engine, sql: &str) -> Vec<Shown> {
    let query = engine.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = query.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let options = FormatOptions::default().with_null("<NULL>");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<ArrayRef> = batch.columns().iter().map(as_number).collect();
        let columns = columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>().expect("it has a text");
        rows.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()),
        );
    }
    rows
}

/// A column of times as text that has their order.
fn as_number(column: &ArrayRef) -> ArrayRef {
    let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() else { return column.clone() };
    Arc::new(times.iter().map(|time| time.map(number)).collect::<StringViewArray>())
}

fn number(time: i64) -> String {
    format!("{time:020}")
}

fn sorted(mut rows: Vec<Shown>) -> Vec<Shown> {
    rows.sort();
    rows
}

struct Told {
    engine: Engine,
    /// The rows after each reading.
    told: Vec<(Timestamp, Vec<Shown>)>,
    _folder: tempfile::TempDir,
}

async fn told(seed: u64) -> Told {
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a directory");
    let (state, hands) = (Arc::new(Mutex::new(State::new())), Hands::default());
    hands.pass(1_000_000);
    let mut extra = Extra::Absent;
    let mut world = World::new(extra, &state);
    let engine =
        async |world: &World| Engine::builder().table(Arc::new(world.clone())).build().await.expect("an engine");
    let settings = settings("world");
    let mut now = recorder(&engine(&world).await, folder.path(), &hands, &settings).await.expect("opened");
    let mut rows: BTreeMap<&'static str, Vec<Row>> = [("a", Vec::new()), ("b", Vec::new())].into();
    let mut known: BTreeMap<&'static str, Vec<Shown>> = BTreeMap::new();
    let mut told: Vec<(Timestamp, Vec<Shown>)> = Vec::new();
    for number in 0..30 {
        hands.pass(random.random_range(1..60));
        match random.random_range(0..14) {
            0 => hands.step(-3600),
            1 => hands.step(3600),
            choice @ 2..=5 => {
                // Killed and started again, perhaps as another version of the program.
                drop(now);
                extra = match (extra, choice) {
                    (Extra::Absent, 4) if number > 5 => Extra::Number,
                    (Extra::Number, 5) => Extra::Text,
                    (extra, _) => extra,
                };
                world = World::new(extra, &state);
                now = recorder(&engine(&world).await, folder.path(), &hands, &settings).await.expect("opened again");
            }
            6 => {
                if let Some(writer) = &mut now.units[0].writer {
                    writer.compact(now.common.clock.now().wall).await.expect("compacted");
                }
            }
            _ => {}
        }
        for (cluster, rows) in &mut rows {
            *rows = next(&mut random, rows);
            let is_read = random.random_range(0..7) > 0;
            state.lock().insert(cluster, is_read.then(|| rows.clone()));
            if is_read {
                known.insert(cluster, rows.iter().map(|row| shown(cluster, row, extra)).collect());
            }
        }
        let recorded = read(&mut now).await;
        assert_eq!(recorded.failure, None);
        told.push((recorded.at.expect("a time"), sorted(known.values().flatten().cloned().collect())));
    }
    // The reader has the newest version of the table.
    let world = World::new(Extra::Text, &state);
    let recorded = Recorded::open(now.common.archive.clone());
    let builder = Engine::builder().table(recorded.with_past(Arc::new(world))).table(recorded.coverage());
    let engine = recorded.catalogs().into_iter().fold(builder, indago_engine::EngineBuilder::catalog);
    Told { engine: engine.build().await.expect("the engine builds"), told, _folder: folder }
}

fn seeds() -> std::ops::Range<u64> {
    let seeds = std::env::var("INDAGO_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    0..seeds.unwrap_or(4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_world_is_read_back_at_any_time_and_from_its_changes() {
    for seed in seeds() {
        let Told { engine, told, _folder } = told(seed).await;
        as_of_any_time(&engine, &told, seed).await;
        changes_replayed(&engine, &told, seed).await;
        versions_of_periods(&engine, &told, seed).await;
    }
}

async fn as_of_any_time(engine: &Engine, told: &[(Timestamp, Vec<Shown>)], seed: u64) {
    let nothing = Vec::new();
    for (number, (at, rows)) in told.iter().enumerate() {
        let before = number.checked_sub(1).map_or(&nothing, |before| &told[before].1);
        let end = told.get(number + 1).map_or(at.0 + 10, |(next, _)| next.0);
        let times = [(at.0 - 1, before), (at.0, rows), (at.0 + (end - at.0) / 2, rows), (end - 1, rows)];
        for (time, expected) in times {
            let sql = format!("SELECT {} FROM world FOR SYSTEM_TIME AS OF '{}'", COLUMNS.join(", "), Timestamp(time));
            assert_eq!(sorted(texts(engine, &sql).await), *expected, "seed {seed}, reading {number}: {sql}");
        }
    }
}

/// The value of a column before a change.
fn before(change: &[String], names: &str, column: &str, at: usize, was: usize) -> String {
    let is_changed = names.trim_matches(['[', ']']).split(", ").any(|name| name == column);
    if is_changed { change[was].clone() } else { change[at].clone() }
}

async fn changes_replayed(engine: &Engine, told: &[(Timestamp, Vec<Shown>)], seed: u64) {
    let old = COLUMNS.map(|column| format!("before['{column}']")).join(", ");
    let sql = format!(
        "SELECT at, op, row_id, changed, {}, {old}, not_before FROM changes.world ORDER BY at, op",
        COLUMNS.join(", ")
    );
    let changes = texts(engine, &sql).await;
    let mut replayed: BTreeMap<String, Shown> = BTreeMap::new();
    let mut next = changes.iter().peekable();
    let mut last: &[Shown] = &[];
    for (at, rows) in told {
        let mut count = 0;
        while let Some(change) = next.next_if(|change| change[0] <= number(at.0)) {
            assert_eq!(change[0], number(at.0), "seed {seed}: a change between readings: {change:?}");
            count += 1;
            let row = change[4..10].to_vec();
            let known = match change[1].as_str() {
                "removed" => replayed.remove(&change[2]),
                _ => replayed.insert(change[2].clone(), row.clone()),
            };
            let was = match change[1].as_str() {
                "added" => None,
                "removed" => Some(row),
                "modified" => {
                    assert!(change[3].len() > 2, "seed {seed}: nothing changed: {change:?}");
                    let old = COLUMNS.iter().enumerate();
                    Some(old.map(|(at, name)| before(change, &change[3], name, 4 + at, 10 + at)).collect())
                }
                other => panic!("{other}"),
            };
            assert_eq!(known, was, "seed {seed}: {change:?}");
            assert!(change[16] == "<NULL>" || change[16] < change[0], "seed {seed}: {change:?}");
        }
        assert_eq!(sorted(replayed.values().cloned().collect()), *rows, "seed {seed}: replayed at {at}");
        if rows == last {
            assert_eq!(count, 0, "seed {seed}: changes at {at}, when nothing changed");
        }
        last = rows;
    }
    assert!(next.next().is_none(), "seed {seed}");
}

async fn versions_of_periods(engine: &Engine, told: &[(Timestamp, Vec<Shown>)], seed: u64) {
    let columns = format!("valid_from, valid_to, {}", COLUMNS.join(", "));
    let all = texts(engine, &format!("SELECT {columns} FROM history.world")).await;
    for version in &all {
        assert!(version[1] == "<NULL>" || version[0] < version[1], "seed {seed}: {version:?}");
    }
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..12 {
        let mut pick = || told[random.random_range(0..told.len())].0.0 + random.random_range(-1..2);
        let (one, two) = (pick(), pick());
        let (from, to) = (Timestamp(one.min(two)), Timestamp(one.max(two) + 1));
        let (first, last) = (number(from.0), number(to.0));
        for (period, is_closed) in
            [(format!("FROM '{from}' TO '{to}'"), false), (format!("BETWEEN '{from}' AND '{to}'"), true)]
        {
            let lived = |version: &&Shown| {
                (version[1] == "<NULL>" || version[1] > first) && (version[0] < last || is_closed && version[0] == last)
            };
            let expected = sorted(all.iter().filter(lived).cloned().collect());
            let sql = format!("SELECT {columns} FROM world FOR SYSTEM_TIME {period}");
            assert_eq!(sorted(texts(engine, &sql).await), expected, "seed {seed}: {sql}");
            let sql = format!(
                "SELECT {columns} FROM history.world WHERE valid_from {} '{to}' AND (valid_to > '{from}' OR valid_to IS NULL)",
                if is_closed { "<=" } else { "<" }
            );
            assert_eq!(sorted(texts(engine, &sql).await), expected, "seed {seed}: {sql}");
        }
    }
}
