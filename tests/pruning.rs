//! Row groups and pages of stored tables that conditions exclude: they are not read, and no row is lost.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt16Array, UInt64Array,
};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use indago::store::{Files, Store};
use indago_engine::{Dialect, Engine, ScanStats};
use indago_table::prelude::*;

use crate::support::{rows, texts};

/// Rows whose types in the file are not always those of the table.
#[derive(Debug, Default, Table)]
#[table(name = "samples")]
struct Sample {
    /// The number of the row.
    id: i64,
    /// Ascending, unsigned in the file.
    port: Option<i64>,
    /// Unsigned in the file; some values do not fit.
    big: Option<i64>,
    /// Crosses zero in each row group.
    around: Option<i64>,
    /// Text in the file.
    number: Option<i64>,
    /// Numbers as texts.
    digits: Option<String>,
    /// Longer than the statistics.
    name: Option<String>,
    /// Compares without regard to case.
    #[column(collate = nocase)]
    word: Option<String>,
    /// Has NaN.
    ratio: Option<f64>,
    /// Fractions in the file.
    whole: Option<i64>,
    /// Integers in the file.
    share: Option<f64>,
    /// Seconds in the file.
    seconds: Option<Timestamp>,
    /// Milliseconds in the file.
    millis: Option<Timestamp>,
    /// NULL in all, some or no rows of a group.
    maybe: Option<i64>,
    /// True, false or NULL.
    flag: Option<bool>,
    /// A dictionary in the file.
    kind: Option<String>,
    /// Empty texts, and the greatest ones.
    odd: Option<String>,
    /// Without statistics in the file.
    plain: Option<i64>,
    /// Not in the file.
    absent: Option<i64>,
}

impl Rows for Sample {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

const GROUP: i64 = 60;
const GROUPS: i64 = 20;

fn samples() -> RecordBatch {
    let ids = || 0..GROUP * GROUPS;
    let group = |id: i64| id / GROUP;
    fn texts(all: impl Iterator<Item = Option<String>>) -> ArrayRef {
        Arc::new(all.collect::<StringArray>())
    }
    let ratio = |id: i64| match (group(id), id % GROUP) {
        (3, _) | (_, 17) => f64::NAN,
        (4, 5) => f64::INFINITY,
        (4, 6) => -0.0,
        _ => id as f64 / 10.0,
    };
    let maybe = |id: i64| match group(id) {
        5 => None,
        6 => Some(id),
        _ => (id % 3 > 0).then_some(id),
    };
    let odd = |id: i64| match group(id) {
        7 => String::new(),
        8 => "\u{10ffff}".repeat(40),
        group => format!("{}{group}", "é".repeat(30)),
    };
    let kinds: Vec<String> = ids().map(|id| format!("k{}", group(id))).collect();
    let kinds: DictionaryArray<Int32Type> = kinds.iter().map(|kind| Some(kind.as_str())).collect();
    let blobs: Vec<Vec<u8>> = ids().map(|id| vec![group(id) as u8]).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(ids().collect::<Int64Array>())),
        ("port", Arc::new(ids().map(|id| Some(id as u16 * 50)).collect::<UInt16Array>())),
        (
            "big",
            Arc::new(ids().map(|id| Some(if id % 100 == 1 { u64::MAX } else { id as u64 })).collect::<UInt64Array>()),
        ),
        ("around", Arc::new(ids().map(|id| id % GROUP - 30).collect::<Int64Array>())),
        ("number", texts(ids().map(|id| Some(if id % 50 == 3 { "none".to_owned() } else { id.to_string() })))),
        ("digits", texts(ids().map(|id| Some(if id % 50 == 3 { format!("{id:05}") } else { id.to_string() })))),
        ("name", texts(ids().map(|id| Some(format!("{}{id:05}", "x".repeat(80)))))),
        (
            "word",
            texts(ids().map(|id| {
                let word = format!("w{:02}", group(id));
                Some(if id % 2 == 0 { word.to_uppercase() } else { word })
            })),
        ),
        ("ratio", Arc::new(ids().map(ratio).collect::<Float64Array>())),
        (
            "whole",
            Arc::new(ids().map(|id| id as f64 + f64::from(u8::from(id % 7 == 0)) / 2.0).collect::<Float64Array>()),
        ),
        ("share", Arc::new(ids().collect::<Int64Array>())),
        ("seconds", Arc::new(ids().map(|id| id * 150).collect::<Int64Array>())),
        ("millis", Arc::new(ids().map(|id| Some(id * 150_000)).collect::<TimestampMillisecondArray>())),
        ("maybe", Arc::new(ids().map(maybe).collect::<Int64Array>())),
        ("flag", Arc::new(ids().map(|id| (id % 11 > 0).then_some(group(id) < 10)).collect::<BooleanArray>())),
        ("kind", Arc::new(kinds)),
        ("odd", texts(ids().map(|id| Some(odd(id))))),
        ("plain", Arc::new(ids().collect::<Int64Array>())),
        // Most of the file.
        ("load", texts(ids().map(|id| Some(format!("{id:0800}"))))),
        ("blob", Arc::new(BinaryArray::from_iter_values(&blobs))),
    ];
    RecordBatch::try_from_iter(columns).expect("a batch")
}

/// Writes the rows: in small row groups and pages with short statistics, or in one row group without any.
fn write(folder: &Path, batch: &RecordBatch, has_statistics: bool) {
    let properties = WriterProperties::builder();
    let properties = match has_statistics {
        true => properties
            .set_max_row_group_row_count(Some(GROUP as usize))
            .set_data_page_row_count_limit(10)
            .set_write_batch_size(10)
            .set_dictionary_enabled(false)
            .set_statistics_truncate_length(Some(20))
            .set_column_index_truncate_length(Some(20))
            .set_column_statistics_enabled("plain".into(), EnabledStatistics::None),
        false => properties.set_statistics_enabled(EnabledStatistics::None),
    };
    fs::create_dir_all(folder).expect("made");
    let file = fs::File::create(folder.join("samples.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).expect("a writer");
    writer.write(batch).expect("rows");
    writer.close().expect("the file is written");
}

async fn engine(folder: &Path, dialect: Dialect) -> Engine {
    let store = Store::open(folder, &[Sample::table(&indago_table::Sys::live())]).expect("the store opens");
    Engine::builder().tables(store.into_tables()).dialect(dialect).build().await.expect("the engine builds")
}

/// The numbers of the rows, and the statistics of the scan; `None` if the statement is not valid in the dialect.
async fn found(engine: &Engine, sql: &str) -> Option<(Vec<Vec<String>>, ScanStats)> {
    let query = engine.query(sql).await.ok()?;
    let batches = query.collect().await.ok()?;
    let mut rows = texts(&batches);
    rows.sort();
    let [stats] = <[ScanStats; 1]>::try_from(query.scans()).ok()?;
    Some((rows, stats))
}

/// Conditions on rows, each with whether it should exclude most of the file.
const CONDITIONS: &[(&str, bool)] = &[
    ("id = 700", true),
    ("700 = id", true),
    ("id <> 700", false),
    ("id IN (3, 65, 5000)", true),
    ("id NOT IN (3, 700)", false),
    ("id > 1100 AND id <= 1110", true),
    ("id BETWEEN 100 AND 130", true),
    ("NOT id < 1150", true),
    ("id < 0", true),
    ("id = '700'", false),
    ("id > '1100'", false),
    ("id = 700.0", false),
    ("id > 1100.5", false),
    ("id IS 700", false),
    ("id IS NOT 700", false),
    ("id + 1 = 701", false),
    ("-id < -1190", false),
    ("id % 100 = 7", false),
    ("id > 1190 OR port < 100", true),
    ("id > 1100 AND port < 56000", true),
    ("CAST(id AS TEXT) = '700'", false),
    ("CAST(id AS TEXT) > '9'", false),
    ("port = 35000", true),
    ("port > 55000", true),
    ("big = 700", false),
    ("big IS NULL", false),
    ("big > 1000", false),
    ("around = 0", false),
    ("around > 28", false),
    ("CAST(around AS BOOLEAN) = false", false),
    ("NOT CAST(around AS BOOLEAN)", false),
    ("around BETWEEN -1 AND 1 AND id < 70", true),
    ("number = 700", false),
    ("number > 950", false),
    ("number IS NULL", false),
    ("digits = 703", false),
    ("digits = '00703'", false),
    ("digits > 1100", false),
    ("digits > '9'", false),
    ("digits < '00100'", false),
    ("name = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx00700'", false),
    ("name > 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx01190'", false),
    ("name <> 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx00700'", false),
    ("name LIKE '%00700'", false),
    ("name LIKE 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx007%'", false),
    ("name NOT LIKE 'x%'", false),
    ("name >= 'y'", true),
    ("name < 'xx'", true),
    ("word = 'w03'", false),
    ("word = 'W03'", false),
    ("word IN ('w03', 'W04')", false),
    ("word <> 'w03'", false),
    ("word > 'w18'", false),
    ("word LIKE 'W03'", false),
    ("word COLLATE BINARY = 'W04'", false),
    ("ratio > 119", false),
    ("ratio < 0.05", false),
    ("ratio = 50.0", false),
    ("ratio <> 50.0", false),
    ("NOT ratio > 1", false),
    ("ratio >= 'a'", false),
    ("ratio IS NULL", false),
    ("ratio > 1 AND id < 70", true),
    ("whole = 701", false),
    ("whole IS NULL", false),
    ("whole > 1190", false),
    ("share = 701", false),
    ("share > 1190.5", false),
    ("seconds > '1970-01-03 01:00:00'", false),
    ("seconds < '1970-01-01 00:10:00'", false),
    ("millis > '1970-01-03 01:00:00'", false),
    ("millis < TIMESTAMP '1970-01-01 00:10:00'", false),
    ("millis = TIMESTAMP '1970-01-01 00:10:00'", false),
    ("CAST(millis AS TIME) > TIME '23:50:00'", false),
    ("CAST(millis AS DATE) = DATE '1970-01-02'", false),
    ("maybe IS NULL", false),
    ("maybe IS NOT NULL", false),
    ("maybe IS NULL AND id BETWEEN 300 AND 420", true),
    ("maybe = 400", true),
    ("maybe <> 400", false),
    ("maybe IS NOT 400", false),
    ("NOT (maybe = 400)", false),
    ("maybe > 1190 OR maybe IS NULL", false),
    ("coalesce(maybe, 0) = 0", false),
    ("flag", false),
    ("NOT flag", false),
    ("flag = 1", false),
    ("flag = 0", false),
    ("flag IS NULL", false),
    ("flag IS NOT TRUE", false),
    ("kind = 'k7'", true),
    ("kind > 'k5'", false),
    ("kind IN ('k1', 'k19')", true),
    ("kind IS NULL", true),
    ("odd = ''", true),
    ("odd > 'a'", false),
    ("odd = 'éééééééééééééééééééééééééééééé19'", false),
    ("odd >= '\u{10ffff}'", false),
    ("plain = 700", false),
    ("absent IS NULL", false),
    ("absent = 1", false),
    ("captured_at IS NULL AND id = 5", true),
    ("blob = x'07'", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn pruning_loses_no_row() {
    let (folder, batch) = (tempfile::tempdir().expect("a folder"), samples());
    let (pruned, plain) = (folder.path().join("pruned"), folder.path().join("plain"));
    write(&pruned, &batch, true);
    write(&plain, &batch, false);
    let (mut valid, mut skipped) = ([0; 2], 0);
    for (dialect, at) in [(Dialect::Osquery, 0), (Dialect::DataFusion, 1)] {
        let (pruned, plain) = (engine(&pruned, dialect).await, engine(&plain, dialect).await);
        let whole = found(&pruned, "SELECT id, load FROM samples").await.expect("it runs").1;
        assert_eq!(whole.rows, (GROUP * GROUPS) as u64);
        for (condition, excludes) in CONDITIONS {
            let sql = format!("SELECT id, load FROM samples WHERE {condition}");
            let (read, expected) = (found(&pruned, &sql).await, found(&plain, &sql).await);
            let (Some((read, stats)), Some((expected, _))) = (&read, &expected) else {
                assert!(read.is_none() && expected.is_none(), "{sql}");
                continue;
            };
            assert_eq!(read, expected, "{dialect:?}: {sql}");
            valid[at] += 1;
            let is_less = stats.bytes < whole.bytes / 2;
            skipped += usize::from(is_less);
            assert!(is_less || at == 1 || !excludes, "{sql}: {stats:?}, {whole:?}");
        }
    }
    assert!(valid[0] > 85 && valid[1] > 75, "{valid:?}");
    assert!(skipped > 30, "{skipped}");
}

/// A file of 20 row groups: few bytes are read for a condition that the rows of one group meet.
#[tokio::test(flavor = "multi_thread")]
async fn only_row_groups_and_pages_with_wanted_rows_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows_in_group = 20_000_i64;
    let ids = || 0..20 * rows_in_group;
    // Texts that do not compress to nothing.
    let hash = |id: i64| format!("{:016x}", (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(ids().collect::<Int64Array>()) as ArrayRef),
        ("text", Arc::new(ids().map(|id| Some(hash(id))).collect::<StringArray>()) as ArrayRef),
    ]);
    let batch = batch.expect("a batch");
    let file = folder.path().join("events.parquet");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_in_group as usize))
        .set_data_page_row_count_limit(1000)
        .build();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(&file).expect("a file"), batch.schema(), Some(properties)).expect("open");
    writer.write(&batch).expect("rows");
    writer.close().expect("the file is written");
    let size = fs::metadata(&file).expect("there").len();
    let store = Store::open(folder.path(), &[]).expect("the store opens");
    let engine = Engine::builder().tables(store.into_tables()).table_functions(Files).build().await.expect("it builds");
    let stats = async |sql: &str, expected: usize| {
        let (rows, stats) = found(&engine, sql).await.expect("it runs");
        assert_eq!(rows.len(), expected, "{sql}");
        stats
    };
    let whole = stats("SELECT id, text FROM events", 400_000).await;
    assert!(whole.bytes > size * 9 / 10, "{whole:?} of {size}");
    // The groups are read as several parts, which are one slice to the user.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(whole.slices, threads.min(20));
    // One group in twenty. Its footer and page index are read, too.
    let one = stats("SELECT id, text FROM events WHERE id >= 60000 AND id < 80000", 20_000).await;
    assert!(one.bytes < size / 10 && one.slices == 1, "{one:?} of {size}");
    // One page in twenty of one group.
    let page = stats("SELECT id, text FROM events WHERE id = 61500", 1).await;
    assert!(page.bytes < one.bytes / 2, "{page:?}, {one:?}");
    let none = stats("SELECT id, text FROM events WHERE id > 400000", 0).await;
    assert!(none.bytes < size / 20, "{none:?}");
    // Enough groups for a limit.
    let few = stats("SELECT id, text FROM events LIMIT 30000", 30_000).await;
    assert!(few.bytes < size / 8, "{few:?}");
    // Two conditions on one scan that several places share.
    let sql = "SELECT a.id FROM events a JOIN events b ON a.text = b.text WHERE a.id < 10 AND b.id > 399995 \
               UNION ALL SELECT id FROM events WHERE id < 3";
    let query = engine.query(sql).await.expect("it plans");
    assert_eq!(texts(&query.collect().await.expect("it runs")).len(), 3);
    assert!(query.scans().iter().map(|scan| scan.bytes).sum::<u64>() < size / 2, "{:?}", query.scans());
    // The same for files in FROM.
    let sql = format!("SELECT id FROM read_parquet('{}') WHERE id = 61500", file.display());
    let named = stats(&sql, 1).await;
    assert!(named.bytes < size / 20, "{named:?}");
    // A join passes keys, not conditions, and reads everything.
    assert_eq!(rows(&engine, "SELECT count(*) FROM events a JOIN events b USING (id)").await, [["400000"]]);
    let query = engine.query("SELECT count(*) FROM events").await.expect("it plans");
    query.collect().await.expect("it runs");
    let coverage = query.coverage();
    assert!(coverage.len() == 1 && coverage[0].rows == 400_000 && coverage[0].problem.is_none(), "{coverage:?}");
}

/// A limit counts the rows that meet the conditions, over all parts of a file.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_rows_of_all_parts() {
    let (folder, batch) = (tempfile::tempdir().expect("a folder"), samples());
    write(folder.path(), &batch, true);
    let engine = engine(folder.path(), Dialect::Osquery).await;
    for (sql, expected) in [
        ("SELECT id FROM samples LIMIT 7", 7),
        ("SELECT id FROM samples LIMIT 100", 100),
        ("SELECT id FROM samples WHERE around = 0 LIMIT 7", 7),
        ("SELECT id FROM samples WHERE around = 0 LIMIT 70", 20),
        ("SELECT id FROM samples WHERE name LIKE '%7' LIMIT 50 OFFSET 3", 50),
        ("SELECT id FROM samples LIMIT 0", 0),
    ] {
        assert_eq!(rows(&engine, sql).await.len(), expected, "{sql}");
    }
}
