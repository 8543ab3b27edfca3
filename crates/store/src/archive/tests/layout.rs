//! How little is read, and how the files look.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::fault::{Fault, Faulty};
use super::history::files;
use super::*;
use arrow_array::BooleanArray;
use indago_table::scan::RowGroups;
use indago_table::{Meter, RowFilter};
use object_store::PutOptions;

/// `uid = '..'`.
#[derive(Debug)]
struct Uid(String);

impl RowFilter for Uid {
    fn columns(&self) -> &[usize] {
        &[0]
    }

    fn keep(&self, rows: &RecordBatch) -> indago_table::Result<BooleanArray> {
        let texts = rows.column(0).as_string_view();
        Ok(texts.iter().map(|text| text.map(|text| text == self.0)).collect())
    }

    fn may_keep(&self, groups: &RowGroups) -> Option<Vec<bool>> {
        let column = groups.columns[0].as_ref()?;
        let (minima, maxima) = (column.minima.as_string_view(), column.maxima.as_string_view());
        let within = |at| {
            minima.is_null(at) || maxima.is_null(at) || minima.value(at) <= &*self.0 && &*self.0 <= maxima.value(at)
        };
        Some((0..groups.rows.len()).map(within).collect())
    }
}

fn of_uid(uid: &str, span: Span) -> (Read, Arc<Meter>) {
    let meter = Arc::new(Meter::default());
    let filter: Arc<dyn RowFilter> = Arc::new(Uid(uid.to_owned()));
    let read = Read {
        filters: vec![filter],
        schema: Some(spec().schema()),
        meter: Some(meter.clone()),
        ..Read::new(span, names(&spec()))
    };
    (read, meter)
}

const PODS: usize = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_one_row_reads_few_files_and_few_bytes() {
    let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let archive = open_at(store.clone()).await.expect("an empty store");
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    let mut world: BTreeMap<String, Pod> =
        (0..PODS).map(|number| pod(number, "Running", 0)).map(|pod| (pod.uid.clone(), pod)).collect();
    let day = 24 * HOUR;
    for number in 0..48 {
        // Every day 5 % of them restart, in two readings; one of them always does.
        for own in (0..PODS).filter(|own| own % 40 == number % 40 || *own == 777) {
            world.entry(pod(own, "", 0).uid).and_modify(|pod| pod.restarts += 1);
        }
        recorder.record(&world, START + number as i64 * day / 2).await.expect("a reading");
        recorder.writer.compact(Timestamp(START + number as i64 * day / 2)).await.expect("compaction");
    }
    let counted = Faulty::new(store, Fault::None, 0);
    let archive = open_at(counted.clone()).await.expect("the store");
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let (count, bytes) = snapshot.size();
    let opened = counted.reads.load(Ordering::SeqCst);
    let uid = pod(777, "", 0).uid;
    let (read, meter) = of_uid(&uid, Span::Between { from: None, to: None });
    let versions = of_pieces(pieces(&snapshot, read).await);
    assert_eq!(versions.len(), 48);
    assert!(versions.iter().all(|version| version.pod.uid == uid));
    let (reads, read_bytes) = (counted.reads.load(Ordering::SeqCst) - opened, meter.bytes());
    eprintln!("{count} files of {bytes} bytes; one history: {reads} reads of {read_bytes} bytes");
    // Of each file its end, and one page of each column.
    assert!(reads <= 4 * count as u64, "{reads} reads of {count} files");
    // A moment in the past: files of versions that ended before it are not read.
    let (read, meter) = of_uid(&uid, Span::AsOf(Timestamp(START + 47 * day / 2)));
    assert_eq!(of_pieces(pieces(&snapshot, read).await).len(), 1);
    assert!(meter.bytes() < read_bytes, "{} of {read_bytes} bytes", meter.bytes());
    let (read, meter) = of_uid("no such uid", Span::Between { from: None, to: None });
    assert_eq!(of_pieces(pieces(&snapshot, read).await), []);
    assert!(meter.bytes() <= read_bytes / 2, "{} bytes for a row that does not exist", meter.bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_leaves_few_files() {
    let scratch = Scratch::new();
    let archive = Archive::open(&scratch.location()).await.expect("the location can be opened");
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    for number in 0..300_usize {
        let world: BTreeMap<String, Pod> =
            (number..number + 20).map(|own| pod(own, "Running", 0)).map(|pod| (pod.uid.clone(), pod)).collect();
        recorder.record(&world, START + number as i64 * HOUR).await.expect("a reading");
        if number % 10 == 9 {
            recorder.writer.compact(Timestamp(START + number as i64 * HOUR)).await.expect("compaction");
        }
    }
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let (count, _) = snapshot.size();
    assert!(count < 30, "{count} files of 300 readings in 13 days");
    let ends: u64 = snapshot.state.contents.files.values().map(|file| file.ends).sum();
    assert!(ends < 60, "{ends} ends are not folded");
    assert!(files(&scratch, ".parquet").len() > count, "replaced files wait for the grace period");
    // Reading the log anew from its checkpoint gives the same files.
    let anew = Archive::open(&scratch.location()).await.expect("the location can be opened");
    let anew = anew.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    assert!(anew.state.contents.checkpoint.is_some());
    assert_eq!(anew.state.entry, snapshot.state.entry);
    let paths = |snapshot: &Snapshot| {
        snapshot.state.contents.files.values().map(|file| format!("{:?}", file.add)).collect::<Vec<_>>()
    };
    let without = |text: Vec<String>| {
        text.into_iter().map(|text| text.replace("data_change: true", "data_change: false")).collect::<Vec<_>>()
    };
    assert_eq!(without(paths(&anew)), without(paths(&snapshot)));
    assert_eq!(anew.state.contents.removed, snapshot.state.contents.removed);
    assert_eq!(anew.state.contents.last, snapshot.state.contents.last);
}

/// A log of 100,000 files. The files themselves are three.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_100_000_files_is_opened_and_pruned() {
    use super::super::log::{Action, Add, Origin};
    let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let archive = open_at(store.clone()).await.expect("an empty store");
    let mut recorder = Recorder::start(&archive, "node-1").await.expect("a start");
    for number in 0..3 {
        let one = pod(number, "Running", 0);
        recorder
            .record(&BTreeMap::from([(one.uid.clone(), one)]), START + number as i64 * HOUR)
            .await
            .expect("a reading");
    }
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    let log = &snapshot.log;
    for part in 0..50 {
        let file = |number: usize| {
            let hour = START + 1000 * HOUR + (part * 2000 + number) as i64 * HOUR;
            let shown = |time: i64| Timestamp(time).to_string();
            let stats = serde_json::json!({ "numRecords": 10,
                "minValues": { "valid_from": shown(hour), "valid_to": shown(hour + SECOND), "uid": "a" },
                "maxValues": { "valid_from": shown(hour), "valid_to": shown(hour + HOUR), "uid": "b" },
                "nullCount": { "valid_from": 0, "valid_to": 0, "uid": 0 } });
            let add = Add {
                path: format!("writer=other/sealed-{part}-{number}.parquet"),
                partition_values: [("writer".to_owned(), Some("other".to_owned()))].into(),
                size: 1000,
                modification_time: 0,
                data_change: true,
                stats: Some(stats.to_string()),
                tags: Some(
                    [("indago.kind", "sealed"), ("indago.open", "0"), ("indago.ends", "0")]
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .into(),
                ),
            };
            Action { add: Some(add), ..Action::default() }
        };
        let origin = Origin { writer: "other".to_owned(), ..Origin::default() };
        log.commit("WRITE", origin, |_| Ok((0..2000).map(file).collect())).await.expect("a commit");
    }
    log.write_checkpoint().await.expect("a checkpoint");
    let counted = Faulty::new(store, Fault::None, 0);
    let anew = open_at(counted.clone()).await.expect("the store");
    let snapshot = anew.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    assert_eq!(snapshot.size().0, 100_003);
    let opened = counted.reads.load(Ordering::SeqCst);
    assert!(opened < 10, "{opened} reads to open the table");
    // One moment, and one row: only files that may have it are opened.
    let found = of_pieces(pieces(&snapshot, Read::new(Span::AsOf(Timestamp(START + HOUR)), names(&spec()))).await);
    assert_eq!(found.len(), 1);
    let (read, _) = of_uid(&pod(2, "", 0).uid, Span::Between { from: None, to: None });
    assert_eq!(of_pieces(pieces(&snapshot, read).await).len(), 1);
    let reads = counted.reads.load(Ordering::SeqCst) - opened;
    assert!(reads < 30, "{reads} reads");
}

/// Writes many files of one reading each, quickly: the files of a batch of readings are of one commit.
async fn many_files(archive: &Archive, store: &Arc<dyn ObjectStore>, count: usize) -> i64 {
    use super::super::file::{Encoder, Role, as_rows};
    use super::super::log::{Action, Origin};
    let recorder = Recorder::start(archive, "node-1").await.expect("a start");
    let writer = &recorder.writer;
    let mut at = START;
    let mut written = 0;
    let (session, mut sequence) = (writer.session_of_tests(), 0);
    while written < count {
        let mut adds = Vec::new();
        for _ in 0..1000.min(count - written) {
            // A pod that runs for three readings.
            let number = written;
            let opened = [pod(number, "Running", 0)];
            let ends: Vec<End> = number
                .checked_sub(3)
                .map(|old| End {
                    row_id: row_id(&pod(old, "Running", 0)),
                    valid_from: Timestamp(at - 3 * SECOND),
                    valid_to: Timestamp(at),
                })
                .into_iter()
                .collect();
            let rows = as_rows(&writer.layout, &versions(&opened, at, None)).expect("rows");
            let mut encoder = Encoder::new(writer.layout.clone()).expect("an encoder");
            encoder.write(&rows).expect("rows");
            let encoded = encoder.finish(&ends, Role::Reading, true).expect("a file");
            let path = writer.log.path(&encoded.add.path);
            store.put_opts(&path, encoded.bytes.into(), PutOptions::default()).await.expect("written");
            adds.push(Action { add: Some(encoded.add), ..Action::default() });
            at += SECOND;
            written += 1;
        }
        sequence += 1;
        let origin = Origin { writer: "node-1".to_owned(), session: session.clone(), sequence, ..Origin::default() };
        writer.log.commit("WRITE", origin, |_| Ok(adds.clone())).await.expect("a commit");
    }
    writer.log.write_checkpoint().await.expect("a checkpoint");
    at - SECOND
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// A table of very many small files is read, and the recorder's compaction brings it down in steps. `INDAGO_FILES` sets
/// their number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_small_files_are_read_and_compacted_in_steps() {
    let count = std::env::var("INDAGO_FILES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_500_usize);
    let (store, archive) = in_memory().await;
    let began = Instant::now();
    let last = many_files(&archive, &store, count).await;
    let written = began.elapsed();
    let anew = open_at(store.clone()).await.expect("the store");
    let began = Instant::now();
    let snapshot = anew.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded");
    assert_eq!(snapshot.size().0, count);
    let opened = began.elapsed();
    // Three pods run at any time.
    let middle = START + (count as i64 / 2) * SECOND;
    let began = Instant::now();
    assert_eq!(as_of(&anew, last).await.len(), 3);
    let first = began.elapsed();
    let began = Instant::now();
    assert_eq!(as_of(&anew, middle).await.len(), 3);
    let second = began.elapsed();
    drop((snapshot, anew));
    // A recorder takes over, and compacts between its readings.
    let mut recorder =
        Recorder::start(&open_at(store.clone()).await.expect("the store"), "node-1").await.expect("a start");
    assert_eq!(recorder.open.len(), 3);
    let before = resident();
    let (mut steps, mut most, mut longest) = (0, 0, Duration::ZERO);
    let limit = Duration::from_millis(200);
    loop {
        let began = Instant::now();
        let done = recorder.writer.compact_within(Timestamp(last), limit).await.expect("compaction");
        (steps, longest, most) = (steps + 1, longest.max(began.elapsed()), most.max(resident()));
        // The table is recorded between the steps.
        let world = recorder.open.iter().map(|(uid, (pod, _))| (uid.clone(), pod.clone())).collect();
        recorder.record(&world, last + steps * SECOND).await.expect("a reading");
        if !done.is_left {
            break;
        }
    }
    let snapshot = recorder.writer.log.state().await.expect("the log can be read").expect("the table is recorded");
    let left = snapshot.contents.files.len();
    let grown = most.saturating_sub(before) >> 20;
    eprintln!(
        "{count} files: written in {written:.1?}, opened in {opened:.1?}, AS OF in {first:.1?} and {second:.1?}; {steps} \
         steps, the longest {longest:.1?}, {grown} MB more at most, {left} files left"
    );
    assert!(left < 30, "{left} files are left of {count}");
    assert!(grown < 256, "{grown} MB for compaction");
    let own = open_at(store).await.expect("the store");
    assert_eq!(as_of(&own, last).await.len(), 3);
    assert_eq!(as_of(&own, middle).await.len(), 3);
    assert_eq!(read(&own, Span::Between { from: None, to: None }).await.len(), count);
}
