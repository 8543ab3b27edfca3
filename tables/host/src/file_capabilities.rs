//! `file_capabilities`: one row per program that gets capabilities when it starts.

use std::rc::Rc;

use indago_table::prelude::*;

use crate::source::attributes::{self, CAPABILITY, FileCapabilities};
use crate::source::capabilities;
use crate::source::paths::{Asked, Report};

/// Programs with capabilities in their attribute `security.capability`.
///
/// As for `file`, a query needs a constraint on `path` or `directory`: `=`, `IN`, a join, or `LIKE`; `path LIKE
/// '/usr/%%'` searches all levels. Files without capabilities have no row.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "file_capabilities", platforms("linux"), require_any(path, directory), identity(path), namespaces)]
#[example(
    "Programs with capabilities, at any depth.",
    "SELECT path, capabilities FROM file_capabilities WHERE path LIKE '/usr/bin/%%'"
)]
pub struct FileCapability {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    /// Directory that contains it.
    #[column(index, pattern)]
    directory: String,
    /// Capabilities as `getcap` prints them: `cap_net_raw=ep`.
    capabilities: String,
    /// Names of the permitted capabilities, such as `CAP_NET_RAW`.
    permitted: Vec<String>,
    /// Names of the capabilities that the program inherits if its caller has them.
    inheritable: Vec<String>,
    /// Whether the program has them at once, without asking the kernel.
    effective: bool,
    /// User of the host that is root in the user namespace for which they count; NULL if they count on the host.
    root_uid: Option<i64>,
}

impl Rows for FileCapability {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let asked = Asked::in_scan(scan, Self::PATH, Self::DIRECTORY, &report);
        Ok(asked.find(scan.sys(), &report).filter_map(move |found| {
            let value = match found.entry.is_regular() {
                Ok(false) => return None,
                Ok(true) => attributes::attribute(&found.entry.sys, &found.entry.at(), CAPABILITY).if_present(),
                Err(error) => Err(error),
            };
            let value = value.unwrap_or_else(|error| {
                scan.report("attributes", &error);
                None
            });
            let value = value.flatten()?;
            let Some(capabilities) = FileCapabilities::parse(&value) else {
                scan.report("attributes", &Error::Malformed(format!("{}: not capabilities of a file", found.path)));
                return None;
            };
            Some(row(found.path, found.directory.to_string(), capabilities))
        }))
    }
}

fn row(path: String, directory: String, capabilities: FileCapabilities) -> FileCapability {
    let names = |mask| capabilities::of_mask(mask).map(|(_, name)| name).collect();
    FileCapability {
        path,
        directory,
        capabilities: capabilities.text(),
        permitted: names(capabilities.permitted),
        inheritable: names(capabilities.inheritable),
        effective: capabilities.effective,
        root_uid: capabilities.root.map(i64::from),
    }
}
