//! `rpm_packages`: one row per package of the RPM database.

use indago_table::prelude::*;

use crate::source::rpm::{self, Header, tag};

/// Packages that RPM installed, from its database in any of its three formats: sqlite, ndb, or Berkeley DB.
///
/// The database is read without RPM's library and without locks. A public key that was imported has a row with the name
/// `gpg-pubkey`.
#[derive(Debug, Default, Table)]
#[table(
    name = "rpm_packages",
    platforms("linux"),
    rows = 1000,
    whole_source,
    identity(name, epoch, version, release, arch),
    namespaces(mount_namespace_id)
)]
#[example("The version of a package.", "SELECT version, release FROM rpm_packages WHERE name = 'openssl'")]
#[example(
    "Packages that another vendor built.",
    "SELECT name, vendor FROM rpm_packages WHERE vendor NOT LIKE 'Fedora%'"
)]
pub struct RpmPackage {
    /// Name of the package.
    #[column(index)]
    name: String,
    /// Version, without epoch and release. It compares as RPM compares versions.
    #[column(collate = version_rhel)]
    version: String,
    /// Release of the version: `3.fc40`.
    #[column(index)]
    release: String,
    /// File name of the source package; empty if the package has none.
    source: String,
    /// Size of the installed files, in bytes.
    size: Option<i64>,
    /// SHA-1 sum of the package's header.
    #[column(collate = nocase)]
    sha1: String,
    /// Architecture: `x86_64`, `noarch`.
    #[column(index)]
    arch: String,
    /// Epoch of the version; NULL if there is none.
    #[column(index)]
    epoch: Option<i64>,
    /// Installation, in seconds since 1970.
    install_time: Option<i64>,
    /// Organization that built the package; empty if unknown.
    vendor: String,
    /// Group of the package.
    package_group: String,
}

impl Rows for RpmPackage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let headers = rpm::headers(scan.sys())?;
        let rows = headers.filter_map(move |header| match header {
            Ok(header) => Some(row(scan.sys(), &header)),
            Err(error) => {
                scan.report("rpm", &error);
                None
            }
        });
        Ok(rows.filter(|row| {
            scan.admits(Self::NAME, &row.name)
                && scan.admits(Self::RELEASE, &row.release)
                && scan.admits(Self::ARCH, &row.arch)
                && scan.keys(Self::EPOCH).is_none_or(|keys| row.epoch.is_some_and(|epoch| keys.contains(&epoch)))
        }))
    }
}

fn row(sys: &Sys, header: &Header) -> RpmPackage {
    let text = |tag| sys.text(header.text(tag).unwrap_or_default());
    RpmPackage {
        name: text(tag::NAME),
        version: text(tag::VERSION),
        release: text(tag::RELEASE),
        source: text(tag::SOURCE),
        size: header.number(tag::LONG_SIZE).or(header.number(tag::SIZE)),
        sha1: text(tag::SHA1),
        arch: text(tag::ARCH),
        epoch: header.number(tag::EPOCH),
        install_time: header.number(tag::INSTALL_TIME),
        vendor: text(tag::VENDOR),
        package_group: text(tag::GROUP),
    }
}
