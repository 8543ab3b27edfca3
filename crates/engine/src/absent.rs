//! Why a table that users know from elsewhere does not exist here.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a table does not exist in an engine. Errors about the table report it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absent {
    /// osquery has it on these systems only.
    OnlyOn(&'static str),
    /// osquery has it, and Indago does not.
    OfOsquery,
    /// Its environment is disabled in the configuration.
    Disabled(String),
    /// The engine reads a store that has no file of it.
    NotCaptured(PathBuf),
}

impl Absent {
    /// The message and the help of the error about a table.
    pub(crate) fn explained(&self, table: &str) -> (String, String) {
        match self {
            Absent::OnlyOn(systems) => (
                format!("osquery has a table `{table}` on {systems} only, Indago does not"),
                "search the tables that exist with `indago tables WORD`".to_owned(),
            ),
            Absent::OfOsquery => (
                format!("osquery has a table `{table}`, Indago does not"),
                "search the tables that exist with `indago tables WORD`".to_owned(),
            ),
            Absent::Disabled(environment) => (
                format!("table `{table}` belongs to the environment `{environment}`, which is disabled"),
                format!("set `{environment}.enabled = true` in the configuration"),
            ),
            Absent::NotCaptured(store) => (
                format!("the store {} has no table `{table}`", store.display()),
                format!("omit `--store` to read the live table, or capture it: `indago capture --out DIR {table}`"),
            ),
        }
    }
}

type Why = dyn Fn(&str) -> Option<Absent> + Send + Sync;

/// Tells why a table does not exist; `None` for a name that is not known.
#[derive(Clone)]
pub(crate) struct WhyAbsent(Arc<Why>);

impl WhyAbsent {
    pub(crate) fn new(why: impl Fn(&str) -> Option<Absent> + Send + Sync + 'static) -> Self {
        WhyAbsent(Arc::new(why))
    }

    pub(crate) fn of(&self, table: &str) -> Option<Absent> {
        (self.0)(table)
    }
}

impl Default for WhyAbsent {
    fn default() -> Self {
        WhyAbsent::new(|_| None)
    }
}

impl fmt::Debug for WhyAbsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WhyAbsent")
    }
}
