//! Tables about known vulnerabilities, from files of OSV records.
//!
//! Nothing is downloaded. The records are files that another program keeps up to date; an index of them (`index.rs`) is
//! built by the first query that needs it, and follows changes of the files. A record is parsed again when a query needs
//! it, so memory does not grow with the texts of records. `affected.rs` decides whether a record affects a version, by the
//! rules of the OSV schema and of the ecosystem (`ecosystem.rs`, and the crate `indago-versions`); `cvss.rs` computes scores.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests create the files that tables read"))]

use std::path::PathBuf;
use std::sync::Arc;

use indago_table::{Environment, Meter, Sys, TableRef};

mod affected;
mod archive;
mod cvss;
mod ecosystem;
mod index;
mod lists;
pub mod osv_records;
mod purl;
mod record;
pub mod vulnerabilities;

/// The tables about vulnerabilities.
pub fn tables(vulnerabilities: &Vulnerabilities) -> Vec<TableRef> {
    indago_table::tables![vulnerabilities;
        osv_records::OsvRecord,
        vulnerabilities::Vulnerability,
    ]
}

/// The files that the tables read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Directories and zip archives of OSV records.
    pub osv: Vec<PathBuf>,
    /// File of EPSS scores: FIRST's CSV, packed with gzip or not.
    pub epss: Option<PathBuf>,
    /// File of known-exploited vulnerabilities: CISA's catalog in JSON or CSV.
    pub known_exploited: Option<PathBuf>,
}

/// The records of known vulnerabilities.
#[derive(Debug, Clone)]
pub struct Vulnerabilities {
    sys: Sys,
    settings: Arc<Settings>,
    index: Arc<index::Shared>,
}

impl Environment for Vulnerabilities {
    const NAME: &'static str = "vulnerabilities";

    fn for_scan(&self, meter: &Arc<Meter>) -> Self {
        Vulnerabilities { sys: self.sys.for_scan(meter), ..self.clone() }
    }
}

impl Vulnerabilities {
    /// What to set, if no records are configured.
    pub(crate) fn unset(&self) -> Option<String> {
        let what = "there are no OSV records; set `osv` in the section `[vulnerabilities]` of the configuration";
        self.settings.osv.is_empty().then(|| what.to_owned())
    }

    /// Records in the files of a machine. Reads nothing yet.
    pub fn new(sys: &Sys, settings: Settings) -> Self {
        Vulnerabilities { sys: sys.clone(), settings: Arc::new(settings), index: Arc::default() }
    }
}
