//! State that an engine shares among its queries, and state that the scans of one query share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use datafusion::execution::memory_pool::MemoryReservation;
use indago_dialect::Interrupt;
use indago_table::{CallCount, CatalogRef, Coverage, Events, Gate, QueryScope, Sys, TableRef, Timestamp, Warning};
use parking_lot::Mutex;

use crate::gate::EndpointGate;
use crate::key_cache::KeyCaches;
use crate::limits::Limits;
use crate::listen::Listeners;
use crate::memory::QueryMemory;
use crate::record::{ScanRecord, ScanStats};
use crate::shared::SharedScan;
use crate::threads::Threads;

/// The state that an engine's tables and queries share.
#[derive(Debug)]
pub(crate) struct EngineState {
    pub(crate) limits: Limits,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) clock: Sys,
    pub(crate) threads: Arc<Threads>,
    /// The engine's tables, for the tables about the engine.
    pub(crate) tables: Mutex<Vec<TableRef>>,
    /// The catalogs of further tables.
    pub(crate) catalogs: Arc<[CatalogRef]>,
    /// The listeners to the sources of events.
    pub(crate) listeners: Arc<Listeners>,
}

/// A session's summary of its last query.
#[derive(Debug, Default)]
pub(crate) struct LastQuery(Mutex<Option<Arc<Summary>>>);

/// The summary of a query that is over, for the tables about the engine.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) scans: Vec<ScanStats>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) coverage: Vec<Coverage>,
}

impl LastQuery {
    /// The last query that is over and that read tables other than those about the engine.
    pub(crate) fn get(&self) -> Arc<Summary> {
        self.0.lock().clone().unwrap_or_default()
    }
}

impl EngineState {
    pub(crate) fn new(limits: Limits, clock: Sys, catalogs: Arc<[CatalogRef]>, events: Vec<Arc<Events>>) -> Self {
        let gate: Arc<dyn Gate> = Arc::new(EndpointGate::new(&limits));
        let listeners = Listeners::new(events, gate.clone());
        EngineState { limits, gate, clock, threads: Arc::default(), tables: Mutex::default(), catalogs, listeners }
    }

    /// The interrupt of a query that starts now.
    pub(crate) fn interrupt(&self) -> Interrupt {
        Interrupt::at(self.clock.now().0)
    }

    /// The state for a scan that runs outside the engine's queries.
    pub(crate) fn start_alone(&self) -> Arc<QueryState> {
        self.start_query(self.interrupt(), None, QueryMemory::new(self.limits.memory), None, Arc::default())
    }

    /// The state of a new query. Its functions check `interrupt`.
    pub(crate) fn start_query(
        &self,
        interrupt: Interrupt,
        session: Option<Arc<LastQuery>>,
        memory: Arc<QueryMemory>,
        consumer: Option<String>,
        calls: Arc<CallCount>,
    ) -> Arc<QueryState> {
        let scope = QueryScope::new(Timestamp(interrupt.moment())).of_consumer(consumer).with_calls(calls);
        let scope = match &session {
            Some(session) => scope.in_session(session.clone()),
            None => scope,
        };
        Arc::new(QueryState {
            scope: Arc::new(scope),
            session,
            reads_tables: AtomicBool::default(),
            shared_scans: Mutex::default(),
            started: AtomicBool::default(),
            events_unread: AtomicUsize::default(),
            events_cut: AtomicUsize::default(),
            ended_well: AtomicBool::default(),
            interrupt,
            scans: Mutex::default(),
            lookups: KeyCaches::default(),
            memory,
        })
    }
}

/// The state that the scans of one query share. It is an extension of the session configuration of the query's task.
#[derive(Debug)]
pub(crate) struct QueryState {
    pub(crate) scope: Arc<QueryScope>,
    session: Option<Arc<LastQuery>>,
    /// Whether it reads tables other than those about the engine.
    pub(crate) reads_tables: AtomicBool,
    /// EngineState scans, whose rows are in memory.
    shared_scans: Mutex<Vec<Arc<SharedScan>>>,
    started: AtomicBool,
    /// Scans of events that have not finished.
    pub(crate) events_unread: AtomicUsize,
    /// Those of them that returned rows.
    pub(crate) events_cut: AtomicUsize,
    ended_well: AtomicBool,
    interrupt: Interrupt,
    scans: Mutex<Vec<Arc<ScanRecord>>>,
    pub(crate) lookups: KeyCaches,
    pub(crate) memory: Arc<QueryMemory>,
}

impl QueryState {
    /// A reservation in the query's memory, for data that is not in the plan's own nodes.
    pub(crate) fn memory(&self, what: &str) -> MemoryReservation {
        self.memory.share(what)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.interrupt.is_over()
    }

    /// Whether this is the first time that the query runs.
    pub(crate) fn start(&self) -> bool {
        !self.started.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn record(
        &self,
        table: &str,
        constraints: String,
        filter: String,
        how: &'static str,
    ) -> Arc<ScanRecord> {
        let record = Arc::new(ScanRecord::new(table, constraints, filter, how));
        self.scans.lock().push(record.clone());
        record
    }

    /// The statistics of the scans so far.
    pub(crate) fn stats(&self) -> Vec<ScanStats> {
        self.scans.lock().iter().map(|scan| scan.stats()).collect()
    }

    /// Called after the last row. Adds a warning if the query did not read all its events.
    pub(crate) fn end_events(&self) {
        if self.events_cut.load(Ordering::Relaxed) > 0 {
            self.scope.leave_events();
        }
    }

    /// Records that the query succeeded.
    pub(crate) fn end_well(&self) {
        self.ended_well.store(true, Ordering::Relaxed);
    }

    /// Moves the cursors of the query's consumer, if the query succeeded and has read to the end all events that it
    /// began.
    pub(crate) fn advance_events(&self) {
        if self.ended_well.load(Ordering::Relaxed) && self.events_unread.load(Ordering::Relaxed) == 0 {
            self.scope.advance_events();
        }
    }

    /// Keeps a shared scan until the query is over.
    pub(crate) fn keep(&self, scan: &Arc<SharedScan>) {
        let mut shared_scans = self.shared_scans.lock();
        if !shared_scans.iter().any(|kept| Arc::ptr_eq(kept, scan)) {
            shared_scans.push(scan.clone());
        }
    }

    /// Ends the query: drops its caches, and stores its summary in its session.
    pub(crate) fn finish(&self) {
        self.cancel();
        self.shared_scans.lock().drain(..).for_each(|scan| scan.release());
        self.lookups.release();
        self.scope.release();
        self.memory.release();
        if let Some(session) = self.session.as_ref().filter(|_| self.reads_tables.load(Ordering::Relaxed)) {
            let (warnings, coverage) = (self.scope.diagnostics().warnings(), self.scope.coverage());
            *session.0.lock() = Some(Arc::new(Summary { scans: self.stats(), warnings, coverage }));
        }
    }

    /// Tells every scan, join and function to stop at its next step.
    pub(crate) fn cancel(&self) {
        self.interrupt.stop();
        for scan in self.scans.lock().iter() {
            scan.meter.cancel();
        }
    }
}
