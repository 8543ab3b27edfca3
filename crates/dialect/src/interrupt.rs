//! How a function that takes its time learns that nobody waits for it any more.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use datafusion::{
    common::{
        Result,
        config::{ConfigEntry, ConfigExtension, ExtensionOptions},
        config_err,
    },
    config::ConfigOptions,
};

/// Whether a query is over. Functions look at it between rows and while they sleep.
///
/// Put one into the options of the session state that a query is planned with, and keep a clone:
///
/// ```
/// # use datafusion::prelude::SessionContext;
/// # use indago_dialect::Interrupt;
/// let interrupt = Interrupt::default();
/// let mut state = SessionContext::new().state();
/// state.config_mut().options_mut().extensions.insert(interrupt.clone());
/// // Plans take the options as they are at this call.
/// state.mark_start_execution();
/// interrupt.stop();
/// assert!(interrupt.is_over());
/// ```
///
/// A function that finds the query over fails with `interrupted`.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Nobody waits for the query any more.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the query was stopped.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
