//! The log of a Delta table: its entries, its checkpoints, and the state that they lead to.
//!
//! An entry is a file of JSON lines, one action per line. A new entry is a version of the table. It is written with
//! put-if-absent, so writers need nothing else to agree on an order. Each entry names the SHA-256 of the entry before
//! it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow_json::{LineDelimitedWriter, ReaderBuilder};
use arrow_schema::{DataType, Field, Fields, Schema};
use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::columns::Columns;
use super::file::DataFile;
use super::place::{Place, as_directory};
use super::read::guarded;
use crate::{Error, Result};

/// The version of the archive's own rules, in the table's configuration.
pub(super) const FORMAT: u32 = 1;
/// Key of the table's configuration: the archive's format.
pub(super) const FORMAT_KEY: &str = "indago.format";
/// Key of the table's configuration: the key of row identities.
pub(super) const ROW_KEY: &str = "indago.row_key";
/// The most bytes of an entry or a checkpoint.
pub(super) const LARGEST: u64 = 1 << 30;
/// Entries that are read at the same time when a table is opened.
const AT_ONCE: usize = 16;
/// Versions between checkpoints.
const CHECKPOINT_EVERY: u64 = 50;
/// How long a state is used without checking whether entries after it were cleaned up.
const CHECKED: Duration = Duration::from_secs(300);
/// How often a commit tries another version.
const TRIES: usize = 100;

/// A line of the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit_info: Option<CommitInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meta_data: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) add: Option<Add>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remove: Option<Remove>,
}

/// Where a version comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommitInfo {
    /// Milliseconds since 1970.
    pub(super) timestamp: i64,
    pub(super) operation: String,
    #[serde(default)]
    pub(super) operation_parameters: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) is_blind_append: bool,
    #[serde(default)]
    pub(super) engine_info: String,
    /// What Indago adds. Entries of other programs do not have it.
    pub(super) indago: Option<Origin>,
}

/// What Indago adds to a version's information.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// SHA-256 of the entry before it; empty for the first.
    pub(super) previous: String,
    pub(super) writer: String,
    /// The open [`Writer`](super::Writer), and the number of its commit.
    pub(super) session: String,
    pub(super) sequence: u64,
    /// The newest checkpoint before it: its version and SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<(u64, String)>,
    /// For an appended reading, its time in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) read_at: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: u32,
    pub(super) min_writer_version: u32,
}

/// The features of Delta that the archive uses: none that a reader must know.
pub(super) const PROTOCOL: Protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) format: Format,
    pub(super) schema_string: String,
    pub(super) partition_columns: Vec<String>,
    pub(super) configuration: BTreeMap<String, String>,
    pub(super) created_time: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Format {
    pub(super) provider: String,
    pub(super) options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    pub(super) path: String,
    pub(super) partition_values: BTreeMap<String, Option<String>>,
    pub(super) size: u64,
    pub(super) modification_time: i64,
    pub(super) data_change: bool,
    pub(super) stats: Option<String>,
    #[serde(default)]
    pub(super) tags: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    pub(super) deletion_timestamp: Option<i64>,
    pub(super) data_change: bool,
}

/// A table's state at a version.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) version: u64,
    /// SHA-256 of the version's entry.
    pub(super) entry: String,
    pub(super) metadata: Arc<Metadata>,
    pub(super) columns: Arc<Columns>,
    pub(super) contents: Contents,
    checked: Checked,
}

/// The files, commits and checkpoints that entries lead to.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    pub(super) files: BTreeMap<String, Arc<DataFile>>,
    /// Files that were removed, and when, in milliseconds since 1970.
    pub(super) removed: BTreeMap<String, i64>,
    /// The last commit of each writer: its session and number.
    pub(super) last: HashMap<String, (String, u64)>,
    /// The newest checkpoint: its version and SHA-256.
    pub(super) checkpoint: Option<(u64, String)>,
}

/// When a state was compared with the checkpoints. A suspended machine stops the first clock, and people set the
/// second.
#[derive(Debug, Clone, Copy)]
struct Checked(Instant, SystemTime);

impl Checked {
    fn now() -> Self {
        Checked(Instant::now(), SystemTime::now())
    }

    fn is_recent(self) -> bool {
        self.0.elapsed() < CHECKED && self.1.elapsed().is_ok_and(|elapsed| elapsed < CHECKED)
    }
}

/// The state that entries are applied to. The first entries make it complete.
#[derive(Default)]
struct Partial {
    metadata: Option<Metadata>,
    contents: Contents,
}

/// A Delta table of an archive.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) place: Place,
    pub(super) root: Path,
    state: tokio::sync::Mutex<Option<Arc<State>>>,
}

impl Log {
    pub(super) fn new(place: Place, table: &str) -> Self {
        Log { place, root: Path::from(as_directory(table)), state: Default::default() }
    }

    pub(super) fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }

    pub(super) fn entry(&self, version: u64) -> Path {
        self.path(&format!("_delta_log/{version:020}.json"))
    }

    pub(super) fn checkpoint(&self, version: u64) -> Path {
        self.path(&format!("_delta_log/{version:020}.checkpoint.parquet"))
    }

    fn last_checkpoint(&self) -> Path {
        self.path("_delta_log/_last_checkpoint")
    }

    fn broken(&self, path: &Path, why: impl ToString) -> Error {
        Error::Archive { path: self.place.shown(path), why: why.to_string() }
    }

    /// The newest state; `None` if the table does not exist. Reads what is new since the last call.
    pub(super) async fn state(&self) -> Result<Option<Arc<State>>> {
        let mut known = self.state.lock().await;
        self.refresh(&mut known).await?;
        Ok(known.clone())
    }

    async fn refresh(&self, known: &mut Option<Arc<State>>) -> Result<()> {
        let mut partial = Partial::default();
        let (mut next, mut entry) = (0, String::new());
        match known {
            Some(state) => (next, entry) = (state.version + 1, state.entry.clone()),
            None => {
                if let Some((version, hash)) = self.load_checkpoint(&mut partial).await? {
                    (next, entry) = (version + 1, hash);
                }
            }
        }
        let first = next;
        let at_once = if known.is_some() { 1 } else { AT_ONCE };
        let read = |version| async move { self.place.get(&self.entry(version), LARGEST).await };
        let mut entries = stream::iter(next..).map(read).buffered(at_once).boxed();
        while let Some(bytes) = entries.next().await.transpose()?.flatten() {
            let actions = self.parse(next, &bytes)?;
            entry = sha256(&bytes);
            match known {
                Some(state) => Arc::make_mut(state).apply(self, next, entry.clone(), actions)?,
                None => partial.apply(self, actions)?,
            }
            next += 1;
        }
        drop(entries);
        match known {
            Some(state) if !state.checked.is_recent() => {
                // Entries that were cleaned up look like entries that do not exist yet.
                if self.newest_checkpoint().await?.is_some_and(|version| version > state.version) {
                    *known = None;
                    return Box::pin(self.refresh(known)).await;
                }
                Arc::make_mut(state).checked = Checked::now();
            }
            Some(_) => {}
            None if next == 0 => {
                // The checkpoint's name is only a hint. Without it, the first entry must exist.
                let logs = self.place.list(&self.path("_delta_log")).await?;
                if logs.iter().any(|object| object.location.filename().is_some_and(|name| name.ends_with(".json"))) {
                    // Another writer may have created the table in the meantime.
                    if self.place.get(&self.entry(0), LARGEST).await?.is_some() {
                        return Box::pin(self.refresh(known)).await;
                    }
                    return Err(self
                        .broken(&self.entry(0), "the first entry of the log is missing, and there is no checkpoint"));
                }
            }
            None => *known = Some(Arc::new(partial.complete(self, next - 1, entry, first)?)),
        }
        Ok(())
    }

    /// Makes the known state one that was read long ago.
    #[cfg(test)]
    pub(super) async fn age(&self) {
        if let Some(state) = self.state.lock().await.as_mut() {
            Arc::make_mut(state).checked.1 = SystemTime::UNIX_EPOCH;
        }
    }

    pub(super) fn parse(&self, version: u64, bytes: &[u8]) -> Result<Vec<Action>> {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let actions = lines.map(serde_json::from_slice::<Action>).collect::<Result<Vec<_>, _>>();
        actions.map_err(|error| self.broken(&self.entry(version), error))
    }

    /// Adds a version. `plan` gets the newest state, `None` for a table that does not exist, and returns the actions;
    /// it is called again if another writer was faster. Returns the state with them, or without, if there were none.
    pub(super) async fn commit(
        &self,
        operation: &str,
        mut origin: Origin,
        mut plan: impl FnMut(Option<&State>) -> Result<Vec<Action>>,
    ) -> Result<Option<Arc<State>>> {
        let mut known = self.state.lock().await;
        for _ in 0..TRIES {
            self.refresh(&mut known).await?;
            let state = known.as_deref();
            let actions = plan(state)?;
            if actions.is_empty() {
                return Ok(known.clone());
            }
            let version = state.map_or(0, |state| state.version + 1);
            origin.previous = state.map(|state| state.entry.clone()).unwrap_or_default();
            origin.checkpoint = state.and_then(|state| state.contents.checkpoint.clone());
            let info = CommitInfo {
                timestamp: milliseconds(SystemTime::now()),
                operation: operation.to_owned(),
                operation_parameters: BTreeMap::new(),
                is_blind_append: actions.iter().all(|action| action.remove.is_none()),
                engine_info: format!("indago/{}", env!("CARGO_PKG_VERSION")),
                indago: Some(origin.clone()),
            };
            let actions = [Action { commit_info: Some(info), ..Action::default() }].into_iter().chain(actions);
            let mut bytes = Vec::new();
            for action in actions {
                serde_json::to_writer(&mut bytes, &action).map_err(|error| self.broken(&self.entry(version), error))?;
                bytes.push(b'\n');
            }
            let bytes = Bytes::from(bytes);
            let is_written = self.place.create(&self.entry(version), bytes.clone()).await?;
            // A response may be lost: then the entry that a retry finds is this one.
            if is_written || self.place.get(&self.entry(version), LARGEST).await?.is_some_and(|other| other == bytes) {
                self.refresh(&mut known).await?;
                return Ok(known.clone());
            }
        }
        Err(self.broken(&self.root, format!("{TRIES} other commits were faster; try again")))
    }

    /// The version that `_last_checkpoint` names.
    async fn newest_checkpoint(&self) -> Result<Option<u64>> {
        let Some(bytes) = self.place.get(&self.last_checkpoint(), 1 << 20).await? else { return Ok(None) };
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| self.broken(&self.last_checkpoint(), error))?;
        let version = value["version"].as_u64();
        version.map(Some).ok_or_else(|| self.broken(&self.last_checkpoint(), "it has no version"))
    }

    /// Reads the newest checkpoint, and returns its version and the SHA-256 of that version's entry.
    async fn load_checkpoint(&self, partial: &mut Partial) -> Result<Option<(u64, String)>> {
        let Some(version) = self.newest_checkpoint().await? else { return Ok(None) };
        let path = self.checkpoint(version);
        let Some(bytes) = self.place.get(&path, LARGEST).await? else {
            return Err(self.broken(&path, "the checkpoint is missing"));
        };
        partial.contents.checkpoint = Some((version, sha256(&bytes)));
        let (actions, entry, last) = read_checkpoint(bytes).map_err(|why| self.broken(&path, why))?;
        partial.apply(self, actions)?;
        partial.contents.last = last;
        Ok(Some((version, entry)))
    }

    /// Writes a checkpoint if there are enough versions since the last one.
    pub(super) async fn write_checkpoint(&self) -> Result<()> {
        let mut known = self.state.lock().await;
        self.refresh(&mut known).await?;
        let Some(state) = known.as_mut() else { return Ok(()) };
        let last = state.contents.checkpoint.as_ref().map_or(0, |(version, _)| *version);
        if state.version < last + CHECKPOINT_EVERY {
            return Ok(());
        }
        let path = self.checkpoint(state.version);
        let (bytes, actions) = checkpoint(state).map_err(|why| self.broken(&path, why))?;
        let (hash, size) = (sha256(&bytes), bytes.len());
        // Checkpoints of one version may differ in the time of the tombstones that they leave out.
        let hash = match self.place.create(&path, bytes.into()).await? {
            true => hash,
            false => self.place.get(&path, LARGEST).await?.map(|bytes| sha256(&bytes)).unwrap_or(hash),
        };
        let hint = serde_json::json!({ "version": state.version, "size": actions, "sizeInBytes": size });
        self.place.put(&self.last_checkpoint(), hint.to_string().into()).await?;
        let state = Arc::make_mut(state);
        state.contents.checkpoint = Some((state.version, hash));
        let expired = milliseconds(SystemTime::now()) - TOMBSTONES;
        state.contents.removed.retain(|_, at| *at > expired);
        Ok(())
    }

    /// Deletes the entries and checkpoints before the newest checkpoint that are older than a time, from the oldest on.
    pub(super) async fn clean(&self, older_than: SystemTime) -> Result<usize> {
        let Some(newest) = self.newest_checkpoint().await? else { return Ok(0) };
        let mut objects = self.place.list(&self.path("_delta_log")).await?;
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        let mut deleted = 0;
        for object in objects {
            let Some((version, _)) = versioned(&object.location) else { continue };
            if version >= newest {
                continue;
            }
            if SystemTime::from(object.last_modified) >= older_than {
                break;
            }
            self.place.delete(&object.location).await?;
            deleted += 1;
        }
        Ok(deleted)
    }
}

impl Partial {
    fn apply(&mut self, log: &Log, actions: Vec<Action>) -> Result<()> {
        if let Some(metadata) = self.contents.apply(log, actions)? {
            self.metadata = Some(metadata);
        }
        Ok(())
    }

    fn complete(self, log: &Log, version: u64, entry: String, first: u64) -> Result<State> {
        let metadata = self.metadata.ok_or_else(|| log.broken(&log.entry(first), "the log has no metadata"))?;
        Ok(State {
            version,
            entry,
            columns: Arc::new(Columns::parse(&metadata.schema_string).map_err(|why| log.broken(&log.root, why))?),
            metadata: Arc::new(metadata),
            contents: self.contents,
            checked: Checked::now(),
        })
    }
}

impl State {
    fn apply(&mut self, log: &Log, version: u64, entry: String, actions: Vec<Action>) -> Result<()> {
        if let Some(metadata) = self.contents.apply(log, actions)? {
            let columns = Columns::parse(&metadata.schema_string);
            let columns = columns.map_err(|why| log.broken(&log.entry(version), why))?;
            (self.columns, self.metadata) = (Arc::new(columns), Arc::new(metadata));
        }
        (self.version, self.entry) = (version, entry);
        Ok(())
    }
}

impl Contents {
    /// Applies the actions of an entry or a checkpoint. Returns their metadata, if they have some.
    fn apply(&mut self, log: &Log, actions: Vec<Action>) -> Result<Option<Metadata>> {
        let mut metadata = None;
        for action in actions {
            if let Some(add) = action.add {
                self.removed.remove(&add.path);
                self.files.insert(add.path.clone(), Arc::new(DataFile::new(add)));
            }
            if let Some(remove) = action.remove {
                self.files.remove(&remove.path);
                self.removed.insert(remove.path, remove.deletion_timestamp.unwrap_or(0));
            }
            if let Some(origin) = action.commit_info.and_then(|info| info.indago) {
                let version = |checkpoint: &Option<(u64, String)>| checkpoint.as_ref().map(|(version, _)| *version);
                if version(&origin.checkpoint) > version(&self.checkpoint) {
                    self.checkpoint = origin.checkpoint;
                }
                self.last.insert(origin.writer, (origin.session, origin.sequence));
            }
            if let Some(protocol) = action.protocol {
                protocol.check(log)?;
            }
            if let Some(new) = action.meta_data {
                new.check(log)?;
                metadata = Some(new);
            }
        }
        Ok(metadata)
    }
}

impl Protocol {
    fn check(&self, log: &Log) -> Result<()> {
        let Protocol { min_reader_version: reader, min_writer_version: writer } = self;
        if *reader <= PROTOCOL.min_reader_version && *writer <= PROTOCOL.min_writer_version {
            return Ok(());
        }
        let why = format!(
            "another program raised the Delta protocol of this table to reader {reader} and writer {writer}; restore \
             the table, or record to a new directory"
        );
        Err(log.broken(&log.root, why))
    }
}

impl Metadata {
    /// The metadata of a new table.
    pub(super) fn new(table: &str, columns: &Columns) -> Self {
        let row_key: [u8; 16] = rand::random();
        let configuration = [
            (FORMAT_KEY.to_owned(), FORMAT.to_string()),
            (ROW_KEY.to_owned(), hex::encode(row_key)),
            // Indago deletes files and entries itself, after its own grace period.
            ("delta.enableExpiredLogCleanup".to_owned(), "false".to_owned()),
        ];
        Metadata {
            id: uuid(),
            name: Some(table.to_owned()),
            format: Format { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: columns.to_json(),
            partition_columns: vec![super::columns::WRITER.to_owned()],
            configuration: configuration.into(),
            created_time: Some(milliseconds(SystemTime::now())),
        }
    }

    fn check(&self, log: &Log) -> Result<()> {
        match self.configuration.get(FORMAT_KEY).and_then(|text| text.parse::<u32>().ok()) {
            Some(found) if found > FORMAT => {
                Err(Error::Newer { path: log.place.shown(&log.root), found, known: FORMAT })
            }
            Some(_) => Ok(()),
            None => Err(log.broken(&log.root, "a Delta table that Indago did not record")),
        }
    }
}

/// The version in the name of a log entry or checkpoint, and the rest of the name.
pub(super) fn versioned(path: &Path) -> Option<(u64, &str)> {
    let (digits, rest) = path.filename()?.split_at_checked(20)?;
    Some((digits.parse().ok()?, rest))
}

/// A random UUID.
fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    (bytes[6], bytes[8]) = (bytes[6] & 0x0f | 0x40, bytes[8] & 0x3f | 0x80);
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub(super) fn milliseconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Keys of a checkpoint's own metadata: the SHA-256 of its version's entry, and each writer's last commit.
const ENTRY: &str = "indago.entry";
const LAST: &str = "indago.last";
/// How long a checkpoint and a state list a removed file, in milliseconds.
const TOMBSTONES: i64 = 24 * 60 * 60 * 1000;

/// The schema of checkpoints, with the fields of [`Action`].
fn checkpoint_schema() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    let texts = |name: &str| {
        let pair = [Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)];
        Field::new_map(name, "key_value", pair[0].clone(), pair[1].clone(), false, true)
    };
    let group = |name: &str, fields: Vec<Field>| Field::new(name, DataType::Struct(Fields::from(fields)), true);
    let version = |name: &str| Field::new(name, DataType::Int32, true);
    Schema::new(vec![
        group("protocol", vec![version("minReaderVersion"), version("minWriterVersion")]),
        group(
            "metaData",
            vec![
                text("id"),
                text("name"),
                group("format", vec![text("provider"), texts("options")]),
                text("schemaString"),
                Field::new_list("partitionColumns", Field::new("element", DataType::Utf8, true), true),
                texts("configuration"),
                number("createdTime"),
            ],
        ),
        group(
            "add",
            vec![
                text("path"),
                texts("partitionValues"),
                number("size"),
                number("modificationTime"),
                flag("dataChange"),
                text("stats"),
                texts("tags"),
            ],
        ),
        group("remove", vec![text("path"), number("deletionTimestamp"), flag("dataChange")]),
    ])
}

/// A checkpoint of a state, and the number of its actions.
fn checkpoint(state: &State) -> Result<(Vec<u8>, usize), String> {
    let expired = milliseconds(SystemTime::now()) - TOMBSTONES;
    let protocol = Action { protocol: Some(PROTOCOL), ..Action::default() };
    let metadata = Action { meta_data: Some((*state.metadata).clone()), ..Action::default() };
    let adds = state.contents.files.values().map(|file| {
        let add = Add { data_change: false, ..file.add.clone() };
        Action { add: Some(add), ..Action::default() }
    });
    let removes = state.contents.removed.iter().filter(|(_, at)| **at > expired).map(|(path, at)| {
        let remove = Remove { path: path.clone(), deletion_timestamp: Some(*at), data_change: false };
        Action { remove: Some(remove), ..Action::default() }
    });
    let schema = Arc::new(checkpoint_schema());
    let last = serde_json::to_string(&state.contents.last).map_err(|error| error.to_string())?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![
            KeyValue::new(ENTRY.to_owned(), state.entry.clone()),
            KeyValue::new(LAST.to_owned(), last),
        ]))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).map_err(|error| error.to_string())?;
    let mut decoder = ReaderBuilder::new(schema).build_decoder().map_err(|error| error.to_string())?;
    let mut count = 0;
    let mut actions = [protocol, metadata].into_iter().chain(adds).chain(removes);
    loop {
        let some: Vec<Action> = actions.by_ref().take(1024).collect();
        if some.is_empty() {
            break;
        }
        count += some.len();
        decoder.serialize(&some).map_err(|error| error.to_string())?;
        if let Some(batch) = decoder.flush().map_err(|error| error.to_string())? {
            writer.write(&batch).map_err(|error| error.to_string())?;
        }
    }
    Ok((writer.into_inner().map_err(|error| error.to_string())?, count))
}

type Checkpoint = (Vec<Action>, String, HashMap<String, (String, u64)>);

/// The actions of a checkpoint, the SHA-256 of its version's entry, and each writer's last commit.
fn read_checkpoint(bytes: Bytes) -> Result<Checkpoint, String> {
    guarded(move || -> Result<Checkpoint, String> {
        let metadata = ArrowReaderMetadata::load(&bytes, Default::default()).map_err(|error| error.to_string())?;
        let pairs = metadata.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
        let value = |key: &str| {
            let pair = pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
            pair.ok_or_else(|| {
                "another program wrote this checkpoint; `indago verify` shows what it changed".to_owned()
            })
        };
        let last = serde_json::from_str(&value(LAST)?).map_err(|error| error.to_string())?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata.clone()).build();
        let mut actions = Vec::new();
        for batch in reader.map_err(|error| error.to_string())? {
            let mut lines = LineDelimitedWriter::new(Vec::new());
            let written = lines.write(&batch.map_err(|error| error.to_string())?).and_then(|()| lines.finish());
            written.map_err(|error| error.to_string())?;
            for action in serde_json::Deserializer::from_slice(&lines.into_inner()).into_iter::<Action>() {
                actions.push(action.map_err(|error| error.to_string())?);
            }
        }
        Ok((actions, value(ENTRY)?, last))
    })
}

/// The SHA-256 of the entry that a checkpoint is of.
pub(super) fn checkpoint_entry(bytes: Bytes) -> Result<String, String> {
    read_checkpoint(bytes).map(|(_, entry, _)| entry)
}
