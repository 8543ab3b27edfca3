//! `deb_packages`: one row per package of dpkg's database.

use indago_table::prelude::*;

use crate::source::deb822::Paragraph;
use crate::source::dpkg::{self, Packages};

/// Packages that dpkg knows: installed ones, and removed ones whose configuration files remain.
///
/// They come from `status` in dpkg's administrative directory, with the changes in `updates` that dpkg has not merged
/// yet, and from `status.d`, which images without dpkg have instead. These tables list what `dpkg-query -W` lists.
#[derive(Debug, Default, Table)]
#[table(
    name = "deb_packages",
    platforms("linux"),
    rows = 500,
    whole_source,
    identity(admindir, name, arch),
    namespaces(mount_namespace_id)
)]
#[example(
    "Installed packages older than a version.",
    "SELECT name, version FROM deb_packages WHERE name = 'openssl' AND version < '3.0.17-1'"
)]
#[example(
    "Packages that are not completely installed.",
    "SELECT name, version, status FROM deb_packages WHERE status != 'install ok installed'"
)]
#[example(
    "Packages in a container, seen by one of its processes.",
    "SELECT name, version FROM deb_packages WHERE pid_with_namespace = 1"
)]
pub struct DebPackage {
    /// Name of the package.
    name: String,
    /// Complete version with epoch and revision. It compares as dpkg compares versions.
    #[column(collate = version_dpkg)]
    version: String,
    /// Source package, with its version in parentheses if that differs; empty if it has the package's own name.
    source: String,
    /// Size that the package declares for its installed files, in KiB.
    size: Option<i64>,
    /// Architecture: `amd64`, or `all`.
    arch: String,
    /// Debian revision: the part of `version` after its last hyphen; empty if there is none.
    revision: String,
    /// What is wanted, whether the package is broken, and its state: `install ok installed`,
    /// `deinstall ok config-files`.
    /// A package of an image without dpkg has no status and counts as installed.
    status: String,
    /// Maintainer's name and address.
    maintainer: String,
    /// Section of the archive.
    section: String,
    /// Priority in the archive: `required`, `optional`.
    priority: String,
    /// Administrative directory to read. Default: `/var/lib/dpkg`.
    #[column(index, selects)]
    admindir: String,
}

impl Rows for DebPackage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let mut databases = Vec::new();
        for admindir in dpkg::admindirs(scan.keys(Self::ADMINDIR)) {
            match Packages::of(scan.sys(), &admindir, &report) {
                Ok(packages) => databases.push((admindir, packages)),
                Err(error) => scan.report(&admindir, &error),
            }
        }
        let rows = move |(admindir, mut packages): (String, Packages)| {
            std::iter::from_fn(move || {
                packages.next(&report, |paragraph, status| row(scan.sys(), paragraph, status, &admindir))
            })
        };
        Ok(databases.into_iter().flat_map(rows))
    }
}

fn row(sys: &Sys, paragraph: &Paragraph<'_>, status: String, admindir: &str) -> DebPackage {
    let text = |name: &str| paragraph.text(sys, name);
    let version = text("Version");
    DebPackage {
        name: text("Package"),
        source: text("Source"),
        size: text("Installed-Size").parse().ok(),
        arch: text("Architecture"),
        revision: dpkg::revision(&version).to_owned(),
        status,
        maintainer: text("Maintainer"),
        section: text("Section"),
        priority: text("Priority"),
        admindir: admindir.to_owned(),
        version,
    }
}
