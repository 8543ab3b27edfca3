//! Recorded tables: read by other programs, and in object storage.

use std::collections::BTreeMap;
use std::process::Command;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use futures::StreamExt;
use indago::store::{Archive, Changes, End, Piece, Read, Retention, Span, Writer};
use indago::table::{ColumnSpec, Kind, TableSpec, Timestamp};
use indago_testkit::beds::{Moto, MotoOptions};
use indago_testkit::install;
use indago_testkit::pods::{PodHistory, PodReading};

const TABLE: &str = "kubernetes_pods";

fn pods_table() -> (TableSpec, Vec<String>) {
    let columns = PodHistory::columns();
    let column = |field: &arrow_schema::Field| ColumnSpec::new(field.name().clone(), Kind::of(field.data_type()), "");
    let specs = columns.fields().iter().map(|field| column(field)).collect();
    let mut spec = TableSpec::new(TABLE, "kubernetes", "", specs);
    spec.identity = vec!["uid".into()].into();
    (spec, columns.fields().iter().map(|field| field.name().clone()).collect())
}

fn small() -> PodHistory {
    PodHistory { pods: 300, nodes: 10, days: 3, ..PodHistory::default() }
}

async fn record(writer: &mut Writer, readings: impl Iterator<Item = PodReading>) {
    for (number, PodReading { at, opened, ended }) in readings.enumerate() {
        let end = |(row_id, valid_from)| End { row_id, valid_from: Timestamp(valid_from), valid_to: Timestamp(at) };
        let changes =
            Changes { read_at: Timestamp(at), opened: vec![opened], ended: ended.into_iter().map(end).collect() };
        writer.append(changes).await.expect("a reading");
        if number % 12 == 11 {
            writer.compact(Timestamp(at)).await.expect("compaction");
        }
    }
}

/// A version: its uid, start, end, writer, pod's address and restarts.
type Row = (String, i64, Option<i64>, String, String, i64);

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let text = |name: &str, row| batch.column_by_name(name).map(|own| own.as_string_view().value(row).to_owned());
    let time = |name: &str, row: usize| {
        let own = batch.column_by_name(name)?.as_primitive::<TimestampMicrosecondType>();
        own.is_valid(row).then(|| own.value(row))
    };
    let restarts = |row| batch.column_by_name("restarts").map(|own| own.as_primitive::<Int64Type>().value(row));
    let row = |row| {
        let (from, to) = (time("valid_from", row)?, time("valid_to", row));
        Some((text("uid", row)?, from, to, text("writer", row)?, text("pod_ip", row)?, restarts(row)?))
    };
    (0..batch.num_rows()).map(|at| row(at).expect("all columns were read")).collect()
}

async fn read(archive: &Archive, span: Span) -> Vec<Row> {
    let snapshot = archive.snapshot(TABLE).await.expect("the log can be read").expect("it is recorded");
    let mut all = Vec::new();
    let mut pieces = snapshot.read(Read::new(span, pods_table().1));
    while let Some(piece) = pieces.next().await {
        match piece.expect("the files can be read") {
            Piece::Rows(batch) => all.extend(rows(&batch)),
            other => panic!("not only rows: {other:?}"),
        }
    }
    all.sort();
    all
}

/// Prints the versions that DuckDB and deltalake find, with the query that the documentation gives.
const OTHERS: &str = r#"
import json, sys
import duckdb
from deltalake import DeltaTable, QueryBuilder
location, moment = sys.argv[1], sys.argv[2]
table = DeltaTable(location)
sql = """SELECT uid, {micros}(valid_from), {micros}(valid_to), writer, pod_ip, restarts FROM pods v
  WHERE NOT is_end AND valid_from <= {moment} AND (valid_to IS NULL OR valid_to > {moment})
  AND NOT EXISTS (SELECT 1 FROM pods e WHERE e.is_end AND e.writer = v.writer AND e.row_id = v.row_id
    AND e.valid_from = v.valid_from AND e.valid_to <= {moment})"""
def key(row):
    return (row[0], row[1])
def through_delta():
    query = sql.replace("{moment}", f"to_timestamp_micros({moment})").replace("{micros}", "")
    found = QueryBuilder().register("pods", table).execute(query)
    micros = lambda value: None if value is None else round(value.timestamp() * 1000000)
    columns = [column.to_pylist() for column in found.read_all().columns]
    rows = ([uid, micros(a), micros(b), writer, ip, restarts] for uid, a, b, writer, ip, restarts in zip(*columns))
    return sorted(rows, key=key)
def through_duckdb():
    files = table.get_add_actions(flatten=True)
    paths = dict(zip(files.column("path").to_pylist(), files.column("partition.writer").to_pylist()))
    part = "SELECT *, '{}' AS writer FROM read_parquet('{}/{}', hive_partitioning = false)"
    parts = [part.format(writer, location, path) for path, writer in paths.items()]
    connection = duckdb.connect()
    connection.execute("CREATE VIEW pods AS " + " UNION ALL BY NAME ".join(parts))
    query = sql.replace("{moment}", f"make_timestamptz({moment})").replace("{micros}", "epoch_us")
    return sorted((list(row) for row in connection.execute(query).fetchall()), key=key)
print(json.dumps({"deltalake": through_delta(), "duckdb": through_duckdb(), "version": table.version()}))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duckdb_and_deltalake_read_the_same_rows() {
    let python = tokio::task::spawn_blocking(install::lake).await.expect("no panic").expect("Python's packages");
    let folder = tempfile::tempdir().expect("a directory");
    let location = folder.path().display().to_string();
    let archive = Archive::open(&location).await.expect("the location can be opened");
    let (spec, names) = pods_table();
    let history = small();
    for writer in ["cluster prod", "stage"] {
        let mut writer = archive.writer(&spec, &names, writer).await.expect("a writer");
        record(&mut writer, history.readings()).await;
    }
    let end = history.start + 72 * 3_600_000_000;
    for moment in [history.start, history.start + 30 * 3_600_000_000 + 1, end] {
        let own = read(&archive, Span::AsOf(Timestamp(moment))).await;
        assert_eq!(own.len(), 600);
        let table = folder.path().join(TABLE).display().to_string();
        let output = Command::new(python.join("bin/python")).args(["-c", OTHERS, &table, &moment.to_string()]).output();
        let output = output.expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        for program in ["deltalake", "duckdb"] {
            let theirs: Vec<Row> = serde_json::from_value(found[program].clone()).expect("rows");
            // An end that is later than the moment is not in the version's own file.
            let without_later = |row: &Row| {
                let mut row = row.clone();
                row.2 = row.2.filter(|end| *end <= moment);
                row
            };
            let known = |rows: &[Row]| {
                let mut rows: Vec<Row> = rows.iter().map(without_later).collect();
                rows.sort();
                rows
            };
            let (own, theirs) = (known(&own), known(&theirs));
            assert_eq!(theirs, own, "{program} as of {moment}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_storage_takes_readings_of_several_writers() {
    let start = || {
        let moto = Moto::with(MotoOptions { profiles: false, ..MotoOptions::default() })?;
        moto.seed("import boto3; boto3.client('s3').create_bucket(Bucket='recorded')")?;
        Ok::<_, indago_testkit::Error>(moto)
    };
    let moto = tokio::task::spawn_blocking(start).await.expect("no panic").expect("moto starts");
    let options = moto.env();
    let location = "s3://recorded/some/where";
    let (spec, names) = pods_table();
    let write = |name: String| {
        let (options, spec, names) = (options.clone(), spec.clone(), names.clone());
        async move {
            let archive = Archive::open_with(location, &options).await.expect("the bucket can be opened");
            let mut writer = archive.writer(&spec, &names, &name).await.expect("a writer");
            let history = PodHistory { pods: 50, days: 1, readings: 20, ..small() };
            record(&mut writer, history.readings()).await;
            let keep = Retention { age: None, bytes: None, grace: std::time::Duration::from_secs(3600) };
            writer.retain(&keep, Timestamp(history.start)).await.expect("retention");
            archive.put_state(&format!("heartbeat/{name}"), "alive".into()).await.expect("a state");
        }
    };
    // One after the other: moto checks `If-None-Match` and stores the object in two steps.
    for number in 0..3 {
        write(format!("node-{number}")).await;
    }
    let archive = Archive::open_with(location, &options).await.expect("the bucket can be opened");
    assert_eq!(archive.tables().await.expect("the bucket can be listed"), [TABLE]);
    assert_eq!(archive.states("heartbeat/").await.expect("the states").len(), 3);
    let now = read(&archive, Span::AsOf(Timestamp(i64::MAX))).await;
    assert_eq!(now.len(), 150);
    let first = read(&archive, Span::AsOf(Timestamp(small().start))).await;
    assert_eq!(first.len(), 150);
    let verified = archive.verify().await.expect("everything can be read");
    assert_eq!(verified.breaks, []);
    assert!(verified.entries > 40, "{verified:?}");
    // A bucket that does not exist is an error that names the object, not an empty store.
    let missing = Archive::open_with("s3://missing/x", &options).await;
    let error = match missing {
        Ok(archive) => archive.writer(&spec, &names, "node").await.expect_err("there is no bucket").to_string(),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("s3://missing/x/_indago.json"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_prints_what_was_changed() {
    let folder = tempfile::tempdir().expect("a directory");
    let location = folder.path().display().to_string();
    let archive = Archive::open(&location).await.expect("the location can be opened");
    let (spec, names) = pods_table();
    let mut writer = archive.writer(&spec, &names, "prod").await.expect("a writer");
    record(&mut writer, small().readings().take(5)).await;
    let verify = |location: &str| {
        let output = crate::cli::indago().args(["verify", location, "--json"]).output();
        let output = output.expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, stdout, stderr) = verify(&location);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    assert!(stderr.contains("1 tables, 6 log entries and 5 files"), "{stderr}");
    let entry = folder.path().join(TABLE).join("_delta_log/00000000000000000003.json");
    let changed = std::fs::read_to_string(&entry).expect("the entry").replace("indago/", "indage/");
    std::fs::write(&entry, changed).expect("the entry can be changed");
    let (code, stdout, _) = verify(&location);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("00000000000000000003.json") && stdout.contains("SHA-256"), "{stdout}");
    let (code, _, stderr) = verify(&folder.path().join("nothing").display().to_string());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("no recorded tables"), "{stderr}");
}
