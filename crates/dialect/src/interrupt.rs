//! What a function knows of the query it runs in: its moment, and whether anybody still waits for it.

use std::{
    any::Any,
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow_array::ArrayRef;
use datafusion::{
    common::{
        Result,
        config::{ConfigEntry, ConfigExtension, ExtensionOptions},
        config_err,
    },
    config::ConfigOptions,
    execution::SessionState,
};

/// The memory of one query, to which what its functions make is charged.
pub trait Memory: Debug + Send + Sync {
    /// Bytes that are left.
    fn left(&self) -> usize;

    /// Charges a constant that a function made, until the query is over.
    fn keep(&self, function: &str, bytes: usize) -> Result<()>;

    /// Charges what a function made, for as long as it is there.
    fn charge(&self, function: &str, made: &ArrayRef) -> Result<()>;
}

/// One query as its functions see it: the moment it is about, and whether it is over. Functions look at the latter between
/// rows and while they sleep.
///
/// Put one into the session state that a query is planned with, and keep a clone:
///
/// ```
/// # use datafusion::prelude::SessionContext;
/// # use indago_dialect::Interrupt;
/// let interrupt = Interrupt::at(0);
/// let mut state = SessionContext::new().state();
/// interrupt.begin(&mut state);
/// interrupt.stop();
/// assert!(interrupt.is_over());
/// ```
///
/// A function that finds the query over fails with `interrupted`.
#[derive(Clone, Debug)]
pub struct Interrupt {
    over: Arc<AtomicBool>,
    moment: i64,
    memory: Option<Arc<dyn Memory>>,
}

impl Default for Interrupt {
    /// A query of this moment.
    fn default() -> Self {
        Self::at(chrono::Utc::now().timestamp_micros())
    }
}

impl Interrupt {
    /// A query of a moment, in microseconds since 1970.
    pub fn at(moment: i64) -> Self {
        Self { over: Arc::default(), moment, memory: None }
    }

    /// The same query, whose functions are charged for what they make.
    #[must_use]
    pub fn with_memory(self, memory: Arc<dyn Memory>) -> Self {
        Self { memory: Some(memory), ..self }
    }

    pub(crate) fn memory(&self) -> Option<&dyn Memory> {
        self.memory.as_deref()
    }

    /// The moment of the query, in microseconds since 1970.
    pub fn moment(&self) -> i64 {
        self.moment
    }

    /// Starts the query in a session state: plans that are made with it take its options and its moment as they are now.
    pub fn begin(&self, state: &mut SessionState) {
        state.config_mut().options_mut().extensions.insert(self.clone());
        state.mark_start_execution();
        let moment = chrono::DateTime::from_timestamp_micros(self.moment);
        let properties = state.execution_props_mut();
        properties.query_execution_start_time = moment.or(properties.query_execution_start_time);
    }

    /// Nobody waits for the query any more.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether the query was stopped.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The one in a session's options; without it nothing interrupts.
    pub(crate) fn of(options: &ConfigOptions) -> Self {
        options.extensions.get::<Self>().cloned().unwrap_or_default()
    }
}

impl ConfigExtension for Interrupt {
    const PREFIX: &'static str = "indago_interrupt";
}

impl ExtensionOptions for Interrupt {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _value: &str) -> Result<()> {
        config_err!("{} has no option {key}", Self::PREFIX)
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
