//! The query state that functions see: its timestamp and its cancel flag.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow_array::ArrayRef;
use datafusion::{common::Result, config::ConfigOptions, execution::SessionState};

/// The memory of one query; the results of its functions are charged to it.
pub trait Memory: Debug + Send + Sync {
    /// The number of bytes left.
    fn left(&self) -> usize;

    /// Charges a constant that a function created, until the query ends.
    fn keep(&self, function: &str, bytes: usize) -> Result<()>;

    /// Charges the result of a function for as long as it exists.
    fn charge(&self, function: &str, made: &ArrayRef) -> Result<()>;
}

/// One query as its functions see it: its timestamp, and whether it was cancelled. Functions check the flag between
/// rows and while they sleep.
///
/// Put one into the session state that plans a query, and keep a clone:
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
/// A function that finds the query cancelled fails with `interrupted`.
#[derive(Clone, Debug)]
pub struct Interrupt {
    over: Arc<AtomicBool>,
    moment: i64,
    memory: Option<Arc<dyn Memory>>,
}

impl Default for Interrupt {
    /// A query with the current time as its timestamp.
    fn default() -> Self {
        Self::at(chrono::Utc::now().timestamp_micros())
    }
}

impl Interrupt {
    /// A query with this timestamp, in microseconds since 1970.
    pub fn at(moment: i64) -> Self {
        Self { over: Arc::default(), moment, memory: None }
    }

    /// The same query, with the results of its functions charged to `memory`.
    #[must_use]
    pub fn with_memory(self, memory: Arc<dyn Memory>) -> Self {
        Self { memory: Some(memory), ..self }
    }

    pub(crate) fn memory(&self) -> Option<&dyn Memory> {
        self.memory.as_deref()
    }

    /// The timestamp of the query, in microseconds since 1970.
    pub fn moment(&self) -> i64 {
        self.moment
    }

    /// Starts the query in a session state: plans created from it use its current options and this timestamp.
    pub fn begin(&self, state: &mut SessionState) {
        state.config_mut().options_mut().extensions.insert(self.clone());
        state.mark_start_execution();
        let moment = chrono::DateTime::from_timestamp_micros(self.moment);
        let properties = state.execution_props_mut();
        properties.query_execution_start_time = moment.or(properties.query_execution_start_time);
    }

    /// Cancels the query.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether the query was cancelled.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The state in a session's options; without one, nothing interrupts.
    pub(crate) fn of(options: &ConfigOptions) -> Self {
        options.extensions.get::<Self>().cloned().unwrap_or_default()
    }
}

/// Makes a type an extension of a session's options that users neither see nor set.
#[macro_export]
macro_rules! hidden_extension {
    ($state:ty, $prefix:literal) => {
        impl ::datafusion::common::config::ConfigExtension for $state {
            const PREFIX: &'static str = $prefix;
        }

        impl ::datafusion::common::config::ExtensionOptions for $state {
            fn as_any(&self) -> &dyn ::std::any::Any {
                self
            }

            fn as_any_mut(&mut self) -> &mut dyn ::std::any::Any {
                self
            }

            fn cloned(&self) -> Box<dyn ::datafusion::common::config::ExtensionOptions> {
                Box::new(self.clone())
            }

            fn set(&mut self, key: &str, _value: &str) -> ::datafusion::common::Result<()> {
                ::datafusion::common::config_err!("{} has no option {key}", $prefix)
            }

            fn entries(&self) -> Vec<::datafusion::common::config::ConfigEntry> {
                Vec::new()
            }
        }
    };
}

hidden_extension!(Interrupt, "indago_interrupt");
