//! Row groups and pages of stored tables that conditions exclude: they are not read, and no row is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt64Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt16Array, UInt64Array,
};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
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

/// Small row groups and pages with short statistics.
fn small_groups() -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP as usize))
        .set_data_page_row_count_limit(10)
        .set_write_batch_size(10)
        .set_dictionary_enabled(false)
        .set_statistics_truncate_length(Some(20))
        .set_column_index_truncate_length(Some(20))
        .set_column_statistics_enabled("plain".into(), EnabledStatistics::None)
        .build()
}

/// One row group without statistics.
fn no_statistics() -> WriterProperties {
    WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build()
}

fn write(folder: &Path, table: &str, batch: &RecordBatch, properties: WriterProperties) -> PathBuf {
    fs::create_dir_all(folder).expect("made");
    let path = folder.join(format!("{table}.parquet"));
    let file = fs::File::create(&path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("rows");
    writer.close().expect("the file is written");
    path
}

/// An engine over the captured rows of a table.
async fn engine(folder: &Path, table: TableRef, dialect: Dialect) -> Engine {
    let store = Store::open(folder, &[table]).expect("the store opens");
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
    write(&pruned, "samples", &batch, small_groups());
    write(&plain, "samples", &batch, no_statistics());
    let (mut valid, mut skipped) = ([0; 2], 0);
    for (dialect, at) in [(Dialect::Osquery, 0), (Dialect::DataFusion, 1)] {
        let (pruned, plain) = (
            engine(&pruned, Sample::table(&Sys::live()), dialect).await,
            engine(&plain, Sample::table(&Sys::live()), dialect).await,
        );
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
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_in_group as usize))
        .set_data_page_row_count_limit(1000)
        // A dictionary is read for any of its pages.
        .set_dictionary_enabled(false)
        .build();
    let file = write(folder.path(), "events", &batch, properties);
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
    write(folder.path(), "samples", &batch, small_groups());
    let engine = engine(folder.path(), Sample::table(&Sys::live()), Dialect::Osquery).await;
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

/// Rows that each file has with other types and in another order.
#[derive(Debug, Default, Table)]
#[table(name = "mixed")]
struct Mixed {
    /// The number of the row.
    id: i64,
    /// Numbers.
    n: Option<i64>,
    /// Numbers without a sign.
    u: Option<u64>,
    /// Texts.
    t: Option<String>,
    /// Compares without regard to case.
    #[column(collate = nocase)]
    w: Option<String>,
    /// Reals.
    r: Option<f64>,
    /// Times.
    at: Option<Timestamp>,
    /// Truth values.
    b: Option<bool>,
}

impl Rows for Mixed {
    fn rows(_scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(std::iter::empty())
    }
}

/// A random generator, so that a seed always makes the same files and conditions.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Numbers in an order that makes statistics useful, or not.
    fn numbers(&mut self, rows: usize) -> Vec<Option<i64>> {
        let (order, nulls, scale) = (self.below(6), self.one(&[0, 0, 10, 60]), self.one(&[1, 7, 1000]));
        let number = |row: usize, dice: &mut Self| match order {
            0 => row as i64 * scale,
            1 => (rows - row) as i64 * scale - 100,
            2 => (row / 40) as i64 * scale - 3,
            3 => dice.below(50) as i64 - 25,
            4 => 7,
            _ => dice.one(&[i64::MIN, i64::MIN + 1, -1, 0, 1, 1 << 53, (1 << 53) + 1, i64::MAX]),
        };
        // Some groups have no value at all.
        let is_null = |row: usize, dice: &mut Self| dice.below(100) < nulls || (nulls > 0 && row / 50 % 4 == 1);
        (0..rows).map(|row| (!is_null(row, self)).then(|| number(row, self))).collect()
    }

    fn text(&mut self, number: i64) -> String {
        match self.below(40) {
            0 => String::new(),
            1 => format!("{}{number}", "\u{10ffff}".repeat(3)),
            2 => format!("{:05}", number % 100_000),
            _ => match number.rem_euclid(5) {
                0 => format!("a{number}"),
                1 => format!("{}{number}", "é".repeat(9)),
                2 => number.to_string(),
                3 => format!("Ab%_{number}"),
                _ => format!("{}{number}", "x".repeat(20)),
            },
        }
    }

    /// A column of a file: its values in one of the types that other programs use; `None` if the file lacks it.
    fn column(&mut self, name: &str, rows: usize) -> Option<ArrayRef> {
        use DataType::{
            Boolean, Date32, Decimal128, Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Timestamp,
            UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
        };
        use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        let numbers = self.numbers(rows);
        let integers: ArrayRef = Arc::new(numbers.iter().copied().collect::<Int64Array>());
        if self.below(12) == 0 {
            return None;
        }
        let array: ArrayRef = match (name, self.below(10)) {
            // Some files have other types than the table.
            ("n" | "u" | "at", 0) | ("t" | "w", 1..) => {
                Arc::new(numbers.iter().map(|number| Some(self.text((*number)?))).collect::<StringArray>())
            }
            ("r", 1..) | ("n" | "at", 1) => {
                let odd = [f64::NAN, -f64::NAN, f64::INFINITY, -0.0, 0.0, 0.5, -1.5];
                let mut real = |number: i64| if self.below(8) == 0 { self.one(&odd) } else { number as f64 };
                Arc::new(numbers.into_iter().map(|number| Some(real(number?))).collect::<Float64Array>())
            }
            ("b", _) => Arc::new(numbers.iter().map(|number| Some((*number)? % 2 == 0)).collect::<BooleanArray>()),
            _ => integers,
        };
        let zone = self.one(&[None, Some("UTC".into()), Some("+02:00".into())]);
        let types = match (name, array.data_type()) {
            ("n" | "u", Int64) => vec![
                Int8,
                Int16,
                Int32,
                Int64,
                Int64,
                UInt8,
                UInt16,
                UInt32,
                UInt64,
                UInt64,
                Decimal128(12, 2),
                Float32,
            ],
            ("at", Int64) => [Second, Millisecond, Microsecond, Nanosecond]
                .map(|unit| Timestamp(unit, zone.clone()))
                .into_iter()
                .chain([Int64, Int32, Date32])
                .collect(),
            (_, Utf8) => vec![Utf8, Utf8, LargeUtf8, Utf8View, Dictionary(Int32.into(), Utf8.into())],
            (_, Float64) => vec![Float64, Float64, Float32],
            ("b", Boolean) => vec![Boolean, Boolean, Int8],
            (_, other) => vec![other.clone()],
        };
        let from = match (self.one(&types), array.data_type()) {
            (wanted @ Timestamp(..), Int64) => {
                cast(&array, &Timestamp(Second, zone)).and_then(|seconds| cast(&seconds, &wanted))
            }
            (Date32, Int64) => cast(&array, &Int32).and_then(|days| cast(&days, &Date32)),
            // Negative ones become too large for the table.
            (UInt64, Int64) => {
                Ok(Arc::new(array.as_primitive::<Int64Type>().unary::<_, UInt64Type>(|n| n as u64)) as _)
            }
            (wanted, _) => cast(&array, &wanted),
        };
        Some(from.expect("a value that does not fit is NULL"))
    }

    fn file(&mut self, first: i64) -> RecordBatch {
        let rows = 50 + self.below(300);
        let ids = first..first + rows as i64;
        let mut columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(ids.clone().collect::<Int64Array>()))];
        for name in ["n", "u", "t", "w", "r", "at", "b"] {
            columns.extend(self.column(name, rows).map(|column| (name, column)));
        }
        // Most of the file.
        columns.push(("load", Arc::new(ids.map(|id| Some(format!("{id:0400}"))).collect::<StringArray>())));
        RecordBatch::try_from_iter(columns).expect("a batch")
    }

    fn properties(&mut self) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(10 + self.below(100)))
            .set_data_page_row_count_limit(1 + self.below(30))
            .set_write_batch_size(1 + self.below(10))
            .set_dictionary_enabled(self.below(2) == 0)
            .set_writer_version(self.one(&[WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]))
            .set_statistics_truncate_length(self.one(&[Some(1), Some(4), Some(64), None]))
            .set_column_index_truncate_length(self.one(&[Some(1), Some(4), Some(64), None]));
        for column in ["n", "u", "t", "w", "r", "at", "b"] {
            use EnabledStatistics::{Chunk, None, Page};
            properties = properties.set_column_statistics_enabled(column.into(), self.one(&[Page, Page, Chunk, None]));
        }
        properties.build()
    }

    /// A value to compare with a column or a type.
    fn literal(&mut self, kind: &str) -> String {
        let number = match self.below(8) {
            0 => self.one(&[i64::MIN, i64::MIN + 1, i64::MAX, 1 << 53]),
            _ => self.below(320) as i64 * self.one(&[1, 1, 7, 1000]) - 20,
        };
        match (kind, self.below(12)) {
            (_, 0) => "NULL".to_owned(),
            (_, 1) => number.to_string(),
            (_, 2) => format!("'{number}'"),
            ("t" | "w" | "TEXT", _) => format!("'{}'", self.text(number)),
            ("at" | "TIMESTAMP" | "DATE" | "TIME", _) => {
                let time = chrono::DateTime::from_timestamp(number % 1_000_000, 0).unwrap_or_default();
                match kind {
                    "TIME" => format!("TIME '{}'", time.format("%T")),
                    "DATE" => format!("DATE '{}'", time.format("%F")),
                    _ => format!("{}'{}'", self.one(&["", "TIMESTAMP "]), time.format("%F %T")),
                }
            }
            ("b" | "BOOLEAN", _) => self.one(&["TRUE", "FALSE", "1", "0"]).to_owned(),
            ("r" | "DOUBLE" | "REAL", 3) | (_, 4) => self.one(&["-0.0", "0.0", "0.5", "1e300", "-1.5"]).to_owned(),
            _ => number.to_string(),
        }
    }

    /// What a condition compares, and the kind of literal to compare it with.
    fn operand(&mut self, column: &'static str) -> (String, &'static str) {
        let kinds = ["BIGINT", "TINYINT", "DOUBLE", "REAL", "TEXT", "BOOLEAN", "DATE", "TIME", "TIMESTAMP"];
        let kind = if column == "at" { self.one(&["TIME", "DATE", "TIMESTAMP"]) } else { self.one(&kinds) };
        match self.below(20) {
            0..5 => (format!("CAST({column} AS {kind})"), kind),
            5 => (format!("TRY_CAST({column} AS {kind})"), kind),
            6 => (format!("CAST(CAST({column} AS {kind}) AS BIGINT)"), "n"),
            7 => (format!("-{column}"), column),
            8 => (format!("{column} + 1"), column),
            9 => (format!("coalesce({column}, {})", self.literal(column)), column),
            _ => (column.to_owned(), column),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.below(2) == 0 {
            let (left, right) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.below(5) {
                0 => format!("NOT ({left})"),
                1 | 2 => format!("({left} AND {right})"),
                _ => format!("({left} OR {right})"),
            };
        }
        let column = self.one(&["id", "n", "n", "u", "t", "t", "w", "r", "at", "at", "b"]);
        let ((operand, kind), not) = (self.operand(column), self.one(&["", "NOT "]));
        match self.below(16) {
            0 => format!("{operand} IS {not}NULL"),
            1 => format!("{operand} IS {not}TRUE"),
            2 => format!("{operand} IS {not}{}", self.literal(kind)),
            3 => format!("{operand} IS {not}DISTINCT FROM {}", self.literal(kind)),
            4 => format!("{operand} {not}BETWEEN {} AND {}", self.literal(kind), self.literal(kind)),
            5 | 6 => {
                let count = self.one(&[1, 2, 4, 25]);
                let list: Vec<String> = (0..count).map(|_| self.literal(kind)).collect();
                format!("{operand} {not}IN ({})", list.join(", "))
            }
            7 | 8 => {
                let number = self.below(320) as i64;
                let text = self.text(number);
                let prefix: String = text.chars().take(self.below(12)).collect();
                format!("{operand} {not}LIKE '{prefix}{}'", self.one(&["", "%", "%1", "_", "\\%", "_%"]))
            }
            9 => {
                let operator = self.one(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{} {operator} {operand}", self.literal(kind))
            }
            10 if column == "b" => format!("{not}b"),
            _ => {
                let operator = self.one(&["=", "<>", "<", "<=", ">", ">="]);
                format!("{operand} {operator} {}", self.literal(kind))
            }
        }
    }
}

/// The numbers of the rows and the bytes that were read.
async fn ids(engine: &Engine, sql: &str) -> indago_engine::Result<(Vec<Vec<String>>, u64)> {
    let query = engine.query(sql).await?;
    let mut rows = texts(&query.collect().await?);
    rows.sort();
    Ok((rows, query.scans().iter().map(|scan| scan.bytes).sum()))
}

/// Files of random types, orders, sizes and statistics return the same rows as files without statistics.
/// `INDAGO_FUZZ_FILES` selects a longer run.
#[tokio::test(flavor = "multi_thread")]
async fn files_with_and_without_statistics_have_the_same_rows() {
    let (mut compared, mut skipped) = ([0; 2], [0; 2]);
    let seeds = std::env::var("INDAGO_FUZZ_FILES").ok().and_then(|count| count.parse().ok()).unwrap_or(40_u64);
    for seed in 0..seeds {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let folder = tempfile::tempdir().expect("a folder");
        let (pruned, plain) = (folder.path().join("pruned"), folder.path().join("plain"));
        // One file with the types of its table, or several with the types that they have.
        let files = dice.one(&[1, 1, 2, 3]);
        for file in 0..files {
            let (batch, name) =
                (dice.file(file * 1000), if files == 1 { "mixed".to_owned() } else { file.to_string() });
            write(&pruned, &name, &batch, dice.properties());
            write(&plain, &name, &batch, no_statistics());
        }
        let conditions: Vec<String> = (0..10).map(|_| dice.condition(2)).collect();
        for (at, dialect) in [Dialect::Osquery, Dialect::DataFusion].into_iter().enumerate() {
            let source = |folder: &Path| format!("read_parquet('{}/*.parquet')", folder.display());
            let (pruned, plain) = match files {
                1 => {
                    let engines = (
                        engine(&pruned, Mixed::table(&Sys::live()), dialect).await,
                        engine(&plain, Mixed::table(&Sys::live()), dialect).await,
                    );
                    ((engines.0, "mixed".to_owned()), (engines.1, "mixed".to_owned()))
                }
                _ => {
                    let engine = Engine::builder().table_functions(Files).dialect(dialect).build().await;
                    let engine = engine.expect("the engine builds");
                    ((engine.clone(), source(&pruned)), (engine, source(&plain)))
                }
            };
            let select = |source: &str, condition: &str| format!("SELECT id, load FROM {source} WHERE {condition}");
            let whole = ids(&pruned.0, &select(&pruned.1, "TRUE")).await.expect("it runs").1;
            for condition in &conditions {
                // A cast that fails in a row fails the query, unless the row is skipped.
                let Ok((expected, _)) = ids(&plain.0, &select(&plain.1, condition)).await else { continue };
                let read = ids(&pruned.0, &select(&pruned.1, condition)).await;
                let (read, bytes) =
                    read.unwrap_or_else(|error| panic!("seed {seed}, {dialect:?}, {condition}: {error}"));
                assert_eq!(read, expected, "seed {seed}, {dialect:?}, {condition}");
                compared[at] += 1;
                skipped[at] += u64::from(bytes < whole / 2 && bytes > 0);
            }
        }
    }
    assert!(compared[0] > 300 && compared[1] > 120, "{compared:?}");
    assert!(skipped.iter().all(|skipped| *skipped > 15), "{skipped:?} of {compared:?}");
}
