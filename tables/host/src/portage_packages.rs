//! `portage_packages`: one row per package that Portage installed.

use std::collections::HashSet;

use indago_table::prelude::*;

use crate::source::portage;

const WORLD: &str = "/var/lib/portage/world";

/// Packages that Portage (Gentoo) installed, from `/var/db/pkg`.
#[derive(Debug, Default, Table)]
#[table(name = "portage_packages", platforms("linux"), rows = 1000, identity(package, version), namespaces)]
#[example(
    "The version of a package.",
    "SELECT version, repository FROM portage_packages WHERE package = 'app-editors/vim'"
)]
pub struct PortagePackage {
    /// Category and name: `app-editors/vim`.
    package: String,
    /// Version with its revision.
    #[column(collate = version)]
    version: String,
    /// Slot, with its sub-slot if it has one.
    slot: String,
    /// Build, in seconds since 1970.
    build_time: Option<i64>,
    /// Repository that the package comes from.
    repository: String,
    /// Version of the format of the package's build script.
    eapi: Option<i64>,
    /// Size of the installed files, in bytes.
    size: Option<i64>,
    /// Whether a user asked for the package, and not only another package that needs it: 1 or 0.
    world: i64,
}

impl Rows for PortagePackage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let packages = portage::installed(scan.sys(), report)?;
        let world = scan.sys().read_text(WORLD).if_present().unwrap_or_else(|error| {
            report("portage", &error);
            None
        });
        let name = |line: &str| line.trim().split(':').next().unwrap_or_default().to_owned();
        let world: HashSet<String> = world.iter().flat_map(|world| world.lines()).map(name).collect();
        Ok(packages.into_iter().map(move |package| {
            let read = |name| package.read(scan.sys(), name, report);
            PortagePackage {
                slot: read("SLOT"),
                build_time: read("BUILD_TIME").parse().ok(),
                repository: read("repository"),
                eapi: read("EAPI").parse().ok(),
                size: read("SIZE").parse().ok(),
                world: world.contains(&package.package).into(),
                package: package.package,
                version: package.version,
            }
        }))
    }
}
