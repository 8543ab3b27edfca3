//! One query: its stream, its warnings and the statistics of its scans.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryPool as _;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, Stream, StreamExt};
use indago_table::{CallCount, Coverage, TableRef, Timestamp, Warning};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::diagnostic::{Code, Error, Result};
use crate::interrupt::interruptible;
use crate::lineage::{self, Lineage, Whole};
use crate::names;
use crate::parameters::{self, Parameter};
use crate::reading::Calls;
use crate::record::ScanStats;
use crate::registry::Registry;
use crate::state::{EngineState, QueryState};

/// Options of one query.
#[derive(Debug, Clone, Default)]
pub struct QueryOptions {
    /// Fail if data is missing from the result.
    pub strict: bool,
    /// Overrides the engine's timeout.
    pub timeout: Option<Duration>,
    /// Overrides the engine's memory limit, in bytes.
    pub memory: Option<usize>,
    /// Overrides the engine's limit of API calls.
    pub max_calls: Option<u64>,
    /// Counts the API calls with those of the query for which this one runs; the limit is that query's.
    pub calls: Option<Arc<CallCount>>,
    /// Read tables as they were at this time, not as they are now.
    pub as_of: Option<Timestamp>,
    /// Read each event once: the consumer name under which event tables store their cursors.
    pub consumer: Option<String>,
    /// Do not move the consumer's cursors until [`Taken::advance`].
    pub hold: bool,
    /// Values of the statement's parameters, by their names without the `$`.
    pub parameters: BTreeMap<String, Parameter>,
}

impl QueryOptions {
    /// Gives a parameter of the statement its value: `$name`, `:name`, or `?1` under the name `1`.
    ///
    /// A value is never part of the SQL text, so it needs no quotes and cannot change the statement. Text that is compared
    /// with a number or a timestamp counts as one. A parameter without a value and a value without a parameter are errors.
    #[must_use]
    pub fn bind(mut self, name: impl AsRef<str>, value: impl Into<Parameter>) -> Self {
        self.parameters.insert(parameters::bare_name(name.as_ref()).to_owned(), value.into());
        self
    }

    /// Reads all tables as they were at a past time, including those of views and subqueries.
    ///
    /// A query that names a table without a [`Past`](indago_table::Past) fails, and the error names all such tables.
    /// Tables that do not depend on time are read normally. The clock of the query (`now()`, `datetime('now')`) stays
    /// at the present, so `now() - start_time` is the present age.
    #[must_use]
    pub fn as_of(self, moment: Timestamp) -> Self {
        QueryOptions { as_of: Some(moment), ..self }
    }

    /// Reads events as a consumer of this name: the events since its last successful query. A new consumer reads
    /// everything in the event buffers.
    ///
    /// Events that a filter excludes are consumed. If a LIMIT applies directly to the events, the remaining events are
    /// left for the next query. If a query sorts, groups or joins events, it consumes all that it reads, regardless of
    /// LIMIT. If a LIMIT ends such a query before it has read all events, none are consumed, and there is a warning.
    #[must_use]
    pub fn consumer(self, name: impl Into<String>) -> Self {
        QueryOptions { consumer: Some(name.into()), ..self }
    }

    /// Does not move the consumer's cursors until [`Taken::advance`], for callers that must store the rows first.
    #[must_use]
    pub fn hold(self) -> Self {
        QueryOptions { hold: true, ..self }
    }
}

/// A planned query.
#[derive(Debug)]
pub struct Query {
    pub(crate) registry: Arc<Registry>,
    pub(crate) sql: String,
    pub(crate) rewritten: Option<String>,
    pub(crate) logical: LogicalPlan,
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) tables: Vec<TableRef>,
    pub(crate) schema: SchemaRef,
    pub(crate) context: Arc<TaskContext>,
    pub(crate) state: Arc<QueryState>,
    /// Its calls of functions that read.
    pub(crate) calls: Calls,
    pub(crate) options: QueryOptions,
    /// How much of the timeout planning used.
    pub(crate) planned_in: Duration,
}

impl Query {
    /// The columns, in query order.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The SQL of the query.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The SQL as rewritten by the dialect, if it differs.
    pub fn rewritten(&self) -> Option<&str> {
        self.rewritten.as_deref()
    }

    /// Runs the query and returns a stream of record batches. Dropping the stream cancels the query.
    ///
    /// A query runs once, because its warnings and statistics belong to one run. A second call returns an error.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn stream(&self) -> BatchStream {
        let timeout = self.options.timeout.or(self.registry.engine.limits.timeout);
        let rows = if self.state.start() {
            State::Running(Running::start(
                self.registry.engine.clone(),
                self.calls.clone(),
                self.plan.clone(),
                self.context.clone(),
                self.state.clone(),
            ))
        } else {
            State::Failed(Box::new(Error::new(Code::Execution, "the query has already run: plan it again to rerun it")))
        };
        BatchStream {
            rows,
            schema: self.schema.clone(),
            deadline: timeout.map(|timeout| {
                let left = timeout.saturating_sub(self.planned_in);
                (timeout, Box::pin(tokio::time::sleep_until(Instant::now() + left)))
            }),
            state: self.state.clone(),
            registry: self.registry.clone(),
            sql: self.sql.clone(),
            strict: self.options.strict,
            hold: self.options.hold,
        }
    }

    /// Runs the query to its end.
    pub async fn collect(&self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        let mut stream = self.stream();
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }

    /// Warnings so far: data that is missing from the rows.
    pub fn warnings(&self) -> Vec<Warning> {
        self.state.scope.diagnostics().warnings()
    }

    /// How much of each slice was read so far: whether a cluster, region, repository or host was read completely, and
    /// if not, why.
    pub fn coverage(&self) -> Vec<Coverage> {
        self.state.scope.coverage()
    }

    /// For each scan, which columns of the result are unchanged columns of its table.
    pub fn lineage(&self) -> Vec<Lineage> {
        lineage::of(&self.logical)
    }

    /// The table whose rows are the result, unchanged and complete; `None` for any other query.
    pub fn whole_table(&self) -> Option<Whole> {
        lineage::whole(&self.logical)
    }

    /// The tables that it reads, including those of catalogs.
    pub fn tables(&self) -> &[TableRef] {
        &self.tables
    }

    /// The permissions that its scans need, as their tables and the columns that they read declare them; with the table.
    pub fn needs(&self) -> Vec<(TableRef, &'static str)> {
        let mut needs: Vec<(TableRef, &'static str)> = Vec::new();
        crate::exec::scans(&self.plan, &mut |scan| {
            // What was recorded needs no permission.
            if scan.request.as_of.is_some() {
                return;
            }
            let spec = scan.table().spec();
            let columns = scan.shared_request().1.needs();
            let of_columns = columns.iter().flat_map(|column| spec.columns[*column].needs.iter());
            for need in spec.needs.iter().chain(of_columns) {
                if !needs.iter().any(|(table, known)| Arc::ptr_eq(table, scan.table()) && known == need) {
                    needs.push((scan.table().clone(), need));
                }
            }
        });
        needs
    }

    /// The events that it reads, for a query that [holds](QueryOptions::hold) the cursors.
    pub fn taken(&self) -> Taken {
        Taken(self.state.clone())
    }

    /// Statistics of the scans so far.
    pub fn scans(&self) -> Vec<ScanStats> {
        self.state.stats()
    }

    /// The query's current memory use, in bytes.
    pub fn memory(&self) -> usize {
        self.state.memory.reserved()
    }

    /// The query's peak memory use, in bytes.
    pub fn peak_memory(&self) -> usize {
        self.state.memory.peak()
    }

    /// The physical plan.
    pub fn plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.plan
    }
}

/// The events that a query read.
#[derive(Debug, Clone)]
pub struct Taken(Arc<QueryState>);

impl Taken {
    /// Moves the consumer's cursors past these events. Does nothing unless the query succeeded.
    pub fn advance(&self) {
        self.0.advance_events();
    }
}

/// The record batches of a running query.
pub struct BatchStream {
    rows: State,
    schema: SchemaRef,
    deadline: Option<(Duration, Pin<Box<tokio::time::Sleep>>)>,
    state: Arc<QueryState>,
    registry: Arc<Registry>,
    sql: String,
    strict: bool,
    hold: bool,
}

enum State {
    Running(Running),
    Failed(Box<Error>),
    Ended,
}

/// A plan that runs on threads of the engine, so its reader can cancel it even while it computes between two batches.
struct Running {
    batches: mpsc::Receiver<Result<RecordBatch, DataFusionError>>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(
        engine: Arc<EngineState>,
        calls: Calls,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        state: Arc<QueryState>,
    ) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let (threads, read) = (engine.threads.clone(), calls.clone());
        let run = async move {
            let read = tokio::select! {
                biased;
                () = sender.closed() => return,
                read = calls.read(&engine, &state) => read,
            };
            // Nodes keep state, such as the built side of a join. The copy that runs is dropped when the query ends.
            let own = read.and_then(|()| reset_plan_states(plan)).and_then(|plan| interruptible(plan, &state));
            let started = own.and_then(|plan| execute_stream(plan, context));
            let mut rows = match started {
                Ok(rows) => rows,
                Err(error) => return drop(sender.send(Err(error)).await),
            };
            // At most one batch ahead of the reader.
            while let Ok(place) = sender.reserve().await {
                let batch = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    batch = rows.next() => batch,
                };
                let Some(batch) = batch else { return };
                let is_last = batch.is_err();
                place.send(batch);
                if is_last {
                    return;
                }
            }
        };
        let run = async move {
            run.await;
            read.release();
        };
        Running { batches, task: threads.drive(run) }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch, DataFusionError>>> {
        match std::task::ready!(self.batches.poll_recv(context)) {
            Some(batch) => Poll::Ready(Some(batch)),
            // A plan that panicked must not look like the end of the rows.
            None => Poll::Ready(match std::task::ready!(self.task.poll_unpin(context)) {
                Ok(()) => None,
                Err(error) => Some(Err(DataFusionError::Execution(format!("the query stopped unexpectedly: {error}")))),
            }),
        }
    }
}

impl BatchStream {
    /// The columns, in query order.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<RecordBatch>>> {
        self.rows = State::Ended;
        self.state.finish();
        Poll::Ready(Some(Err(error)))
    }
}

impl std::fmt::Debug for BatchStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchStream").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl Stream for BatchStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let (Some((limit, deadline)), State::Running(_)) = (&mut this.deadline, &this.rows)
            && deadline.poll_unpin(context).is_ready()
        {
            let error = Error::timeout(*limit);
            return this.fail(error);
        }
        let rows = match &mut this.rows {
            State::Running(rows) => rows,
            State::Ended => return Poll::Ready(None),
            // The query belongs to an earlier stream, so this one must not end it.
            State::Failed(error) => {
                let error = (**error).clone();
                this.rows = State::Ended;
                return Poll::Ready(Some(Err(error)));
            }
        };
        let polled = rows.poll_next(context);
        // Scans that may make no more calls end early, so what the plan returns is incomplete.
        if let Some(most) = this.state.scope.calls().exceeded() {
            return this.fail(Error::calls(most));
        }
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(batch))) => Poll::Ready(Some(renamed(batch, &this.schema))),
            Poll::Ready(Some(Err(error))) => {
                let error = names::error(&this.registry, &error, &this.sql);
                this.fail(error)
            }
            Poll::Ready(None) => {
                this.rows = State::Ended;
                this.state.end_events();
                this.state.finish();
                let mut missing = this.state.scope.diagnostics().warnings();
                missing.retain(|warning| !warning.is_note());
                if this.strict && !missing.is_empty() {
                    let parts = match missing.len() {
                        1 => "1 part of the result is".to_owned(),
                        parts => format!("{parts} parts of the result are"),
                    };
                    let message = format!("{parts} missing; the first: {}", missing[0]);
                    // Lost events are reported once.
                    this.state.scope.acknowledge_events();
                    return Poll::Ready(Some(Err(Error::new(Code::Incomplete, message))));
                }
                this.state.end_well();
                if !this.hold {
                    this.state.advance_events();
                }
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for BatchStream {
    fn drop(&mut self) {
        if matches!(self.rows, State::Running(_)) {
            self.state.finish();
        }
    }
}

/// Metadata key of a result field that was renamed to make names unique. The value is the name in the query.
pub const NAME_METADATA: &str = "indago.name";

/// The columns with unique names. A plan may have two columns of one name, from two tables.
pub(crate) fn distinct_columns(planned: &SchemaRef, aliases: &[String]) -> SchemaRef {
    let names: Vec<&String> = planned.fields().iter().map(|field| field.name()).collect();
    let distinct = indago_dialect::distinct_names(&names);
    // The dialect numbers equal names: `b:1` after `b`. If the query itself has the alias `b:1`, that is its name.
    let written = |at: usize| match names[at].rsplit_once(':') {
        Some((base, number))
            if number.parse::<usize>().is_ok()
                && names[..at].iter().any(|before| *before == base)
                && !aliases.contains(names[at]) =>
        {
            base
        }
        _ => names[at].as_str(),
    };
    if (0..names.len()).all(|at| distinct[at] == written(at)) {
        return planned.clone();
    }
    let fields = planned.fields().iter().zip(&distinct).enumerate().map(|(at, (field, name))| {
        let mut own = field.as_ref().clone().with_name(name);
        if name != written(at) {
            own.metadata_mut().insert(NAME_METADATA.to_owned(), written(at).to_owned());
        }
        own
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), planned.metadata().clone()))
}

fn renamed(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
        .map_err(|error| Error::new(Code::Execution, format!("a batch does not fit the query's columns: {error}")))
}
