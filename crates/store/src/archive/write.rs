//! Writes readings.

use std::sync::Arc;
use std::time::SystemTime;

use arrow_array::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use indago_table::{TableSpec, Timestamp};

use super::columns::{Columns, WRITER};
use super::compact::clean;
use super::file::{Encoded, Encoder, Layout, Role, as_rows};
use super::log::{Action, Log, Metadata, Origin, PROTOCOL, ROW_KEY, State};
use super::place::as_directory;
use super::read::{Snapshot, Wanted};
use super::{Changes, Piece, Read, Span};
use crate::{Error, Result};

/// Rows that are sorted and written together.
const AT_ONCE: usize = 128 << 10;

/// Writes the readings of one table under one name.
///
/// The last writer that was opened with a name owns it: an earlier one gets [`Error::OtherWriter`] when it writes.
#[derive(Debug)]
pub struct Writer {
    pub(super) log: Arc<Log>,
    pub(super) spec: TableSpec,
    pub(super) layout: Arc<Layout>,
    pub(super) name: String,
    row_key: [u8; 16],
    session: String,
    /// Commits that are known to be complete.
    sequence: u64,
}

impl Writer {
    pub(super) async fn open(log: Arc<Log>, spec: &TableSpec, columns: &[String], name: &str) -> Result<Self> {
        if name.is_empty() {
            let why = "the writer's name is empty; set `[record] writer`".to_owned();
            return Err(Error::Archive { path: log.place.shown(&log.root), why });
        }
        let wanted = Columns::of(spec, columns);
        let session = hex::encode(rand::random::<[u8; 8]>());
        let origin = Origin { writer: name.to_owned(), session: session.clone(), ..Origin::default() };
        let new = Metadata::new(&spec.name, &wanted);
        // Every writer commits when it is opened, so that an earlier one of its name notices.
        let state = log.commit("OPEN", origin, |state| {
            Ok(match state {
                None => vec![
                    Action { protocol: Some(PROTOCOL), ..Action::default() },
                    Action { meta_data: Some(new.clone()), ..Action::default() },
                ],
                Some(state) => {
                    let mut metadata = (*state.metadata).clone();
                    let mut all = (*state.columns).clone();
                    all.extend(&wanted);
                    metadata.schema_string = all.to_json();
                    vec![Action { meta_data: Some(metadata), ..Action::default() }]
                }
            })
        });
        let path = log.place.shown(&log.root);
        let broken = |why: &str| Error::Archive { path: path.clone(), why: why.to_owned() };
        let state = state.await?.ok_or_else(|| broken("the table was not created"))?;
        let key = state.metadata.configuration.get(ROW_KEY).and_then(|text| hex::decode(text).ok());
        let row_key = key.and_then(|key| <[u8; 16]>::try_from(key).ok()).ok_or_else(|| broken("it has no row key"))?;
        let layout = Arc::new(Layout::new(spec, name, &state.columns));
        // No other writer of this name can commit any more: files of it that are not in the log never will be.
        let partition = log.path(&format!("{WRITER}={}", as_directory(name)));
        clean(&log, Some(&partition), SystemTime::UNIX_EPOCH).await?;
        log.place.remove_staged();
        Ok(Writer { log, spec: spec.clone(), layout, name: name.to_owned(), row_key, session, sequence: 0 })
    }

    /// The key of the table's row numbers.
    pub fn row_key(&self) -> [u8; 16] {
        self.row_key
    }

    #[cfg(test)]
    pub(super) fn session_of_tests(&self) -> String {
        self.session.clone()
    }

    /// This writer's versions that are open, with all of their columns.
    pub fn open_versions(&self) -> BoxStream<'static, Result<Piece>> {
        let (log, name, schema) = (self.log.clone(), self.name.clone(), self.spec.schema());
        let read = async move {
            let state = log.state().await?;
            let Some(state) = state else { return Ok(stream::empty().boxed()) };
            let names = state.columns.schema().fields().iter().map(|field| field.name().clone()).collect();
            let read = Read {
                writer: Some(name),
                schema: Some(schema),
                ..Read::new(Span::Between { from: None, to: None }, names)
            };
            Ok::<_, Error>(Snapshot { log, state }.read_wanted(read, Wanted::Open))
        };
        stream::once(read).try_flatten().boxed()
    }

    /// Writes a reading's changes. They are complete and durable when this returns. Without changes, writes nothing.
    ///
    /// After an error, the changes may be complete all the same: a response can be lost. Then the next call fails with
    /// [`Error::Unsettled`], and the caller reads [`Writer::open_versions`] again.
    pub async fn append(&mut self, changes: Changes) -> Result<()> {
        let is_empty = changes.opened.iter().all(|batch| batch.num_rows() == 0);
        if is_empty && changes.ended.is_empty() {
            return Ok(());
        }
        let read_at = changes.read_at;
        let layout = self.layout.clone();
        let encoded = blocking(move || encode(&layout, &changes)).await?;
        let encoded = encoded.map_err(|why| self.failed(why))?;
        let mut adds = Vec::with_capacity(encoded.len());
        for Encoded { add, bytes } in encoded {
            self.log.place.put(&self.log.path(&add.path), bytes).await?;
            adds.push(Action { add: Some(add), ..Action::default() });
        }
        self.commit("WRITE", Some(read_at), |_| Ok(adds.clone())).await.map(drop)
    }

    pub(super) fn failed(&self, why: String) -> Error {
        Error::Archive { path: self.log.place.shown(&self.log.root), why }
    }

    /// Commits as this writer, unless another one has taken its name.
    pub(super) async fn commit(
        &mut self,
        operation: &str,
        read_at: Option<Timestamp>,
        mut plan: impl FnMut(&State) -> Result<Vec<Action>>,
    ) -> Result<Option<Arc<State>>> {
        let own = (self.session.clone(), self.sequence);
        let origin = Origin {
            writer: self.name.clone(),
            session: self.session.clone(),
            sequence: self.sequence + 1,
            read_at: read_at.map(|time| time.0),
            ..Origin::default()
        };
        let (table, writer) = (self.spec.name.to_string(), self.name.clone());
        let mut landed = None;
        let mut is_planned = false;
        let state = self.log.commit(operation, origin, |state| {
            let last = state.and_then(|state| state.contents.last.get(&writer));
            match (state, last) {
                (Some(state), Some(last)) if *last == own => {
                    let actions = plan(state)?;
                    is_planned = !actions.is_empty();
                    Ok(actions)
                }
                (_, Some((session, sequence))) if *session == own.0 => {
                    landed = Some(*sequence);
                    Err(Error::Unsettled { table: table.clone(), writer: writer.clone() })
                }
                (None, _) => Err(Error::Archive { path: table.clone(), why: "the table was deleted".to_owned() }),
                _ => Err(Error::OtherWriter { table: table.clone(), writer: writer.clone() }),
            }
        });
        let state = state.await;
        match (&state, landed) {
            (Ok(_), _) if is_planned => self.sequence += 1,
            (_, Some(sequence)) => self.sequence = sequence,
            _ => {}
        }
        state
    }
}

/// The files of a reading.
fn encode(layout: &Arc<Layout>, changes: &Changes) -> Result<Vec<Encoded>, String> {
    let mut files = Vec::new();
    let mut pending: Vec<RecordBatch> = Vec::new();
    let mut rows = 0;
    let mut flush = |pending: &mut Vec<RecordBatch>, ends: &[super::End]| -> Result<(), String> {
        let sorted = super::file::sorted(layout, pending).map_err(|error| error.to_string())?;
        pending.clear();
        let mut encoder = Encoder::new(layout.clone()).map_err(|error| error.to_string())?;
        if sorted.num_rows() > 0 {
            encoder.write(&sorted).map_err(|error| error.to_string())?;
        }
        files.push(encoder.finish(ends, Role::Reading, true).map_err(|error| error.to_string())?);
        Ok(())
    };
    for batch in &changes.opened {
        if rows + batch.num_rows() > AT_ONCE && rows > 0 {
            flush(&mut pending, &[])?;
            rows = 0;
        }
        rows += batch.num_rows();
        pending.push(as_rows(layout, batch).map_err(|error| error.to_string())?);
    }
    flush(&mut pending, &changes.ended)?;
    Ok(files)
}

/// Runs work that would block other tasks.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Ok(value),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
