//! `portage_use`: one row per enabled USE flag of each package that Portage installed.

use std::collections::HashSet;

use indago_table::prelude::*;

use crate::source::portage;

/// USE flags that packages of Portage (Gentoo) were built with.
#[derive(Debug, Default, Table)]
#[table(name = "portage_use", platforms("linux"), rows = 5000, identity(package, version, r#use), namespaces)]
#[example("Packages built with a flag.", "SELECT package, version FROM portage_use WHERE \"use\" = 'ssl'")]
pub struct PortageUse {
    /// Category and name: `app-editors/vim`.
    package: String,
    /// Version with its revision.
    #[column(collate = version)]
    version: String,
    /// Flag that was enabled, among those that the package knows.
    r#use: String,
}

impl Rows for PortageUse {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let packages = portage::installed(scan.sys(), report)?;
        Ok(packages.into_iter().flat_map(move |package| {
            let read = |name| package.read(scan.sys(), name, report);
            let (known, used) = (read("IUSE"), read("USE"));
            // A default is marked with a sign.
            let known: HashSet<&str> =
                known.split_whitespace().map(|flag| flag.trim_start_matches(['+', '-'])).collect();
            let mut flags: Vec<&str> = used.split_whitespace().filter(|flag| known.contains(flag)).collect();
            flags.sort_unstable();
            flags.dedup();
            let row = |flag: &str| PortageUse {
                package: package.package.clone(),
                version: package.version.clone(),
                r#use: flag.to_owned(),
            };
            flags.into_iter().map(row).collect::<Vec<_>>()
        }))
    }
}
