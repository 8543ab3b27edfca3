//! Tests of the archive: what is written is what is read, whatever happens in between.

pub(crate) mod fault;
mod faults;
mod history;
mod layout;
mod types;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};
use futures::StreamExt;
use indago_table::{ColumnSpec, Kind, TableSpec, Timestamp};
use object_store::ObjectStore;

use super::columns::{NOT_BEFORE, ORIGIN, ROW_ID, VALID_FROM, time};
use super::place::Place;
use super::{Archive, Changes, End, Piece, Read, Snapshot, Span, Writer};

const TABLE: &str = "kubernetes_pods";
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// The time of the first reading: 2026-11-01.
const START: i64 = 1_793_491_200 * SECOND;

/// A directory that is removed.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Scratch(tempfile::tempdir().expect("the temporary directory can be written"))
    }

    fn location(&self) -> String {
        self.store().display().to_string()
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }
}

fn spec() -> TableSpec {
    let text = |name: &'static str| ColumnSpec::new(name, Kind::Text, "");
    let mut namespace = text("namespace");
    namespace.slice = true;
    let columns = vec![text("uid"), namespace, text("phase"), ColumnSpec::new("restarts", Kind::BigInt, "")];
    let mut spec = TableSpec::new(TABLE, "kubernetes", "", columns);
    spec.identity = vec!["uid".into()].into();
    spec
}

fn names(spec: &TableSpec) -> Vec<String> {
    spec.columns.iter().map(|column| column.name.to_string()).collect()
}

/// A pod as it was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pod {
    uid: String,
    namespace: String,
    phase: String,
    restarts: i64,
}

fn pod(number: usize, phase: &str, restarts: i64) -> Pod {
    let (uid, namespace) = (format!("uid-{number:06}"), format!("namespace-{}", number % 10));
    Pod { uid, namespace, phase: phase.to_owned(), restarts }
}

/// A row's number, as a recorder makes it.
fn row_id(pod: &Pod) -> i64 {
    let mut hash = siphasher::sip::SipHasher24::new();
    std::hash::Hash::hash(&pod.uid, &mut hash);
    std::hash::Hasher::finish(&hash) as i64
}

/// Versions that a reading opened.
fn versions(pods: &[Pod], valid_from: i64, not_before: Option<i64>) -> RecordBatch {
    with_columns(
        pods.iter().map(row_id).collect(),
        valid_from,
        not_before,
        vec![
            ("uid", Arc::new(StringViewArray::from_iter_values(pods.iter().map(|pod| &pod.uid)))),
            ("namespace", Arc::new(StringViewArray::from_iter_values(pods.iter().map(|pod| &pod.namespace)))),
            ("phase", Arc::new(StringViewArray::from_iter_values(pods.iter().map(|pod| &pod.phase)))),
            ("restarts", Arc::new(pods.iter().map(|pod| Some(pod.restarts)).collect::<Int64Array>())),
        ],
    )
}

fn with_columns(
    ids: Vec<i64>,
    valid_from: i64,
    not_before: Option<i64>,
    columns: Vec<(&str, ArrayRef)>,
) -> RecordBatch {
    let rows = ids.len();
    let times = |at: Option<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![at; rows]).with_timezone("UTC"))
    };
    let mut fields = vec![
        Field::new(ROW_ID, arrow_schema::DataType::Int64, false),
        Field::new(VALID_FROM, time(), false),
        Field::new(NOT_BEFORE, time(), true),
        Field::new(ORIGIN, arrow_schema::DataType::Utf8View, true),
    ];
    let origin = Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n("prod", rows)));
    let mut arrays: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(ids)), times(Some(valid_from)), times(not_before), origin];
    for (name, array) in columns {
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length")
}

/// A version as it is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    pod: Pod,
    from: i64,
    to: Option<i64>,
}

async fn pieces(snapshot: &Snapshot, read: Read) -> Vec<Piece> {
    snapshot.read(read).map(|piece| piece.expect("the files can be read")).collect().await
}

fn of_batch(batch: &RecordBatch) -> Vec<Version> {
    let text =
        |name: &str, row: usize| batch.column_by_name(name).map(|array| array.as_string_view().value(row).to_owned());
    let time = |name: &str, row: usize| {
        let array = batch.column_by_name(name)?.as_primitive::<TimestampMicrosecondType>();
        array.is_valid(row).then(|| array.value(row))
    };
    let version = |row| {
        let restarts = batch.column_by_name("restarts").map(|array| array.as_primitive::<Int64Type>().value(row));
        let pod = Pod {
            uid: text("uid", row)?,
            namespace: text("namespace", row)?,
            phase: text("phase", row)?,
            restarts: restarts?,
        };
        Some(Version { pod, from: time("valid_from", row)?, to: time("valid_to", row) })
    };
    (0..batch.num_rows()).map(|row| version(row).expect("all columns were read")).collect()
}

fn of_pieces(pieces: Vec<Piece>) -> Vec<Version> {
    let rows = |piece| match piece {
        Piece::Rows(batch) => of_batch(&batch),
        other => panic!("not only rows: {other:?}"),
    };
    let mut versions: Vec<Version> = pieces.into_iter().flat_map(rows).collect();
    versions.sort();
    versions
}

async fn read(archive: &Archive, span: Span) -> Vec<Version> {
    match archive.snapshot(TABLE).await.expect("the log can be read") {
        Some(snapshot) => of_pieces(pieces(&snapshot, Read::new(span, names(&spec()))).await),
        None => Vec::new(),
    }
}

async fn as_of(archive: &Archive, at: i64) -> Vec<Pod> {
    read(archive, Span::AsOf(Timestamp(at))).await.into_iter().map(|version| version.pod).collect()
}

async fn in_memory() -> (Arc<dyn ObjectStore>, Archive) {
    let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
    let archive = open_at(store.clone()).await.expect("an empty store can be opened");
    (store, archive)
}

pub(crate) async fn open_at(store: Arc<dyn ObjectStore>) -> crate::Result<Archive> {
    Archive::at(Place { location: "memory:".into(), store, directory: None }).await
}

/// Records worlds, as a recorder does.
struct Recorder {
    writer: Writer,
    /// The open versions by the pods' uid.
    open: BTreeMap<String, (Pod, i64)>,
    last: Option<i64>,
}

impl Recorder {
    async fn start(archive: &Archive, name: &str) -> crate::Result<Self> {
        let spec = spec();
        let writer = archive.writer(&spec, &names(&spec), name).await?;
        let mut recorder = Recorder { writer, open: BTreeMap::new(), last: None };
        recorder.load().await?;
        Ok(recorder)
    }

    /// Reads what is open.
    async fn load(&mut self) -> crate::Result<()> {
        self.open.clear();
        let mut pieces = self.writer.open_versions();
        while let Some(piece) = pieces.next().await {
            let Piece::Rows(batch) = piece? else { panic!("a damaged file") };
            for version in of_batch(&batch) {
                assert_eq!(version.to, None);
                let double = self.open.insert(version.pod.uid.clone(), (version.pod, version.from));
                assert_eq!(double, None, "an open version twice");
            }
        }
        Ok(())
    }

    async fn record(&mut self, world: &BTreeMap<String, Pod>, at: i64) -> crate::Result<()> {
        let is_new = |pod: &&Pod| self.open.get(&pod.uid).is_none_or(|(known, _)| known != *pod);
        let opened: Vec<Pod> = world.values().filter(is_new).cloned().collect();
        let gone = |(uid, (pod, from)): (&String, &(Pod, i64))| {
            let end = End { row_id: row_id(pod), valid_from: Timestamp(*from), valid_to: Timestamp(at) };
            (world.get(uid) != Some(pod)).then_some(end)
        };
        let ended: Vec<End> = self.open.iter().filter_map(gone).collect();
        let opened_rows = if opened.is_empty() { vec![] } else { vec![versions(&opened, at, self.last)] };
        self.writer.append(Changes { read_at: Timestamp(at), opened: opened_rows, ended }).await?;
        self.open.retain(|uid, (pod, _)| world.get(uid) == Some(pod));
        self.open.extend(opened.into_iter().map(|pod| (pod.uid.clone(), (pod, at))));
        self.last = Some(at);
        Ok(())
    }
}
