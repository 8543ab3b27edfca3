//! Recorded tables: their size compared with one Parquet file, and the time of reads compared with DuckDB and with a scan
//! of a captured file.
//!
//! ```sh
//! cargo bench -p indago-benches --bench archive                # 30 days of 60,000 pods
//! INDAGO_BENCH_PODS=2000 INDAGO_BENCH_DAYS=3 cargo bench ..    # a small one
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use futures::StreamExt;
use indago::Engine;
use indago::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use indago::store::{Archive, Changes, End, Piece, Read, Snapshot, Span, Store};
use indago::table::scan::{Meter, RowGroups};
use indago::table::{ColumnSpec, Kind, RowFilter, TableSpec, Timestamp};
use indago_testkit::pods::{PodHistory, PodReading};

const TABLE: &str = "kubernetes_pods";

fn main() {
    let number =
        |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let normal = PodHistory::default();
    let history = PodHistory {
        pods: number("INDAGO_BENCH_PODS", normal.pods),
        days: number("INDAGO_BENCH_DAYS", normal.days),
        ..normal
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(history));
}

fn table() -> (TableSpec, Vec<String>) {
    let columns = PodHistory::columns();
    let own = columns.fields().iter();
    let specs = own.clone().map(|field| ColumnSpec::new(field.name().clone(), Kind::of(field.data_type()), ""));
    let mut spec = TableSpec::new(TABLE, "kubernetes", "", specs.collect());
    spec.identity = vec!["uid".into()].into();
    (spec, own.map(|field| field.name().clone()).collect())
}

/// Texts from one to another, in one column of the table.
#[derive(Debug)]
struct Between {
    column: [usize; 1],
    from: String,
    to: String,
}

impl RowFilter for Between {
    fn columns(&self) -> &[usize] {
        &self.column
    }

    fn keep(&self, rows: &RecordBatch) -> indago::table::Result<BooleanArray> {
        let keep = |text: &str| *self.from <= *text && *text <= *self.to;
        Ok(rows.column(0).as_string_view().iter().map(|text| text.map(keep)).collect())
    }

    fn may_keep(&self, groups: &RowGroups) -> Option<Vec<bool>> {
        let column = groups.columns.first()?.as_ref()?;
        let (least, most) = (column.minima.as_string_view(), column.maxima.as_string_view());
        let may =
            |at| least.is_null(at) || most.is_null(at) || *least.value(at) <= *self.to && *self.from <= *most.value(at);
        Some((0..groups.rows.len()).map(may).collect())
    }
}

/// Reads versions, and passes the batches on. Returns their rows and the bytes that were read.
async fn read(snapshot: &Snapshot, read: Read, mut each: impl FnMut(&RecordBatch)) -> (usize, u64) {
    let meter = Arc::new(Meter::default());
    let mut pieces = snapshot.read(Read { meter: Some(meter.clone()), ..read });
    let mut rows = 0;
    while let Some(piece) = pieces.next().await {
        let Piece::Rows(batch) = piece.expect("the files can be read") else { panic!("a damaged file") };
        rows += batch.num_rows();
        each(&batch);
    }
    (rows, meter.bytes())
}

async fn snapshot(location: &str) -> Snapshot {
    let archive = Archive::open(location).await.expect("the location can be opened");
    archive.snapshot(TABLE).await.expect("the log can be read").expect("the table is recorded")
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

async fn run(history: PodHistory) {
    let folder = tempfile::tempdir().expect("a directory");
    let location = folder.path().join("recorded").display().to_string();
    let (spec, names) = table();
    let started = Instant::now();
    let (readings, versions, compacting) = record(history, &location, &spec, &names).await;
    println!("{history:?}");
    let appending = started.elapsed() - compacting;
    println!(
        "recorded {versions} versions in {readings} readings: {appending:.1?}, and {compacting:.1?} of compaction"
    );

    // Size.
    let all = Span::Between { from: None, to: None };
    let whole = snapshot(&location).await;
    let (files, bytes) = whole.size();
    let captured = folder.path().join("captured");
    std::fs::create_dir(&captured).expect("a directory");
    let single = captured.join(format!("{TABLE}.parquet"));
    let single_bytes = write_single(&whole, &single, &names).await;
    println!(
        "size: {files} files, {bytes} bytes; one zstd Parquet file {single_bytes}; ratio {:.2}",
        bytes as f64 / single_bytes as f64
    );

    // AS OF.
    for day in [0, history.days / 2, history.days] {
        let moment = history.start + day as i64 * 86_400_000_000 + 1;
        let started = Instant::now();
        let own = snapshot(&location).await;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let wanted = Read::new(Span::AsOf(Timestamp(moment)), vec!["namespace".to_owned()]);
        let wanted = Read { version_columns: Some(Vec::new()), ..wanted };
        let (rows, bytes) = read(&own, wanted, |batch| {
            for namespace in batch.column(0).as_string_view().iter().flatten() {
                match counts.get_mut(namespace) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(namespace.to_owned(), 1)),
                }
            }
        })
        .await;
        let elapsed = started.elapsed();
        assert_eq!(rows, history.pods, "as of day {day}");
        let (theirs, total) = duckdb(&format!("{location}/{TABLE}"), moment);
        assert_eq!(total, rows as u64, "DuckDB, as of day {day}");
        println!(
            "as of day {day}: {elapsed:.1?} and {bytes} bytes for {} namespaces; DuckDB {theirs:.1?}; ratio {:.2}",
            counts.len(),
            ratio(elapsed, theirs)
        );
    }

    // One pod.
    let column = names.iter().position(|name| name == "uid").expect("a column");
    let mut uid = String::new();
    let started = Instant::now();
    let (rows, scanned) = read(&snapshot(&location).await, Read::new(all, names.clone()), |batch| {
        uid = batch.column(6 + column).as_string_view().value(0).to_owned();
    })
    .await;
    let scan = started.elapsed();
    assert_eq!(rows, versions);
    let filter = |from: &str, to: &str| -> Vec<Arc<dyn RowFilter>> {
        vec![Arc::new(Between { column: [column], from: from.to_owned(), to: to.to_owned() })]
    };
    let of_pod = Read { filters: filter(&uid, &uid), ..Read::new(all, names.clone()) };
    let started = Instant::now();
    let (rows, bytes) = read(&snapshot(&location).await, of_pod.clone(), |_| {}).await;
    let first = started.elapsed();
    assert!(rows > 0);
    println!(
        "one pod: {first:.1?}, {rows} versions, {bytes} bytes; all: {scan:.1?}, {scanned} bytes; ratio 1:{:.0}",
        ratio(scan, first)
    );

    // A filter that one row group in twenty meets, compared with `--store`.
    let wanted = Read { filters: filter("40", "4c"), ..Read::new(all, names) };
    let started = Instant::now();
    let (rows, _) = read(&snapshot(&location).await, wanted, |_| {}).await;
    let own = started.elapsed();
    let tables = Store::open(&captured, &[]).expect("the file can be opened").into_tables();
    let engine = tables.into_iter().fold(Engine::builder(), |builder, table| builder.table(table));
    let engine = engine.build().await.expect("the engine builds");
    let sql = format!("SELECT * FROM {TABLE} WHERE uid BETWEEN '40' AND '4c'");
    let started = Instant::now();
    let batches = engine.query(&sql).await.expect("it plans").collect().await.expect("it runs");
    let captured = started.elapsed();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows);
    println!(
        "one row in twenty: {own:.1?} for {rows} versions; --store {captured:.1?}; ratio {:.1}",
        ratio(captured, own)
    );
}

/// Records a history. Returns the number of readings and of versions, and the time of compaction.
async fn record(history: PodHistory, location: &str, spec: &TableSpec, names: &[String]) -> (usize, usize, Duration) {
    let archive = Archive::open(location).await.expect("the location can be opened");
    let mut writer = archive.writer(spec, names, "prod").await.expect("a writer");
    let (mut readings, mut versions, mut compacting) = (0, 0, Duration::ZERO);
    let mut last = history.start;
    for PodReading { at, opened, ended } in history.readings() {
        (readings, versions, last) = (readings + 1, versions + opened.num_rows(), at);
        let end = |(row_id, valid_from)| End { row_id, valid_from: Timestamp(valid_from), valid_to: Timestamp(at) };
        let ended = ended.into_iter().map(end).collect();
        let changes = Changes { read_at: Timestamp(at), opened: vec![opened], ended };
        writer.append(changes).await.expect("a reading");
        if readings % 12 == 0 {
            let started = Instant::now();
            writer.compact(Timestamp(at)).await.expect("compaction");
            compacting += started.elapsed();
        }
    }
    let started = Instant::now();
    writer.compact(Timestamp(last)).await.expect("compaction");
    (readings, versions, compacting + started.elapsed())
}

/// Writes all versions to one file, as a capture has them. Returns its size.
async fn write_single(whole: &Snapshot, path: &Path, names: &[String]) -> u64 {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let properties = properties.set_max_row_group_row_count(Some(128 << 10)).build();
    let mut writer: Option<ArrowWriter<File>> = None;
    read(whole, Read::new(Span::Between { from: None, to: None }, names.to_vec()), |batch| {
        let writer = writer.get_or_insert_with(|| {
            let file = File::create(path).expect("the file can be written");
            ArrowWriter::try_new(file, batch.schema(), Some(properties.clone())).expect("a writer")
        });
        writer.write(batch).expect("the batch can be written");
    })
    .await;
    writer.expect("there are versions").close().expect("the file is complete");
    path.metadata().expect("it exists").len()
}

/// DuckDB's time for the equivalent query on the same files, and the number of rows.
fn duckdb(location: &str, moment: i64) -> (Duration, u64) {
    const SCRIPT: &str = r#"
import sys, time
import duckdb
from deltalake import DeltaTable
location, moment = sys.argv[1], sys.argv[2]
start = time.monotonic()
files = [f"{location}/{path}" for path in DeltaTable(location).get_add_actions(flatten=True).column("path").to_pylist()]
connection = duckdb.connect()
rows = connection.execute(f"""SELECT namespace, count(*) FROM read_parquet($files, union_by_name = true) v
  WHERE NOT is_end AND valid_from <= make_timestamptz({moment}) AND (valid_to IS NULL OR valid_to > make_timestamptz({moment}))
  AND NOT EXISTS (SELECT 1 FROM read_parquet($files, union_by_name = true) e WHERE e.is_end AND e.row_id = v.row_id
    AND e.valid_from = v.valid_from AND e.valid_to <= make_timestamptz({moment})) GROUP BY namespace""", {"files": files}).fetchall()
print(time.monotonic() - start, sum(count for _, count in rows))
"#;
    let python = indago_testkit::install::lake().expect("Python's packages");
    let output = Command::new(python.join("bin/python")).args(["-c", SCRIPT, location, &moment.to_string()]).output();
    let output = output.expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (seconds, rows) = text.trim().split_once(' ').expect("two numbers");
    (Duration::from_secs_f64(seconds.parse().expect("seconds")), rows.parse().expect("rows"))
}
