//! `hash`: one row per regular file that the query names.

use std::rc::Rc;

use indago_table::prelude::*;

use crate::source::digest::{self, Wanted};
use crate::source::paths::{Asked, Entry, Report};

/// Checksums of files.
///
/// As for `file`, a query needs a constraint on `path` or `directory`: `=`, `IN`, a join, or `LIKE`. Only regular files
/// and links to them have rows. A file is read once, in small pieces, for all wanted checksums. A cancelled query stops
/// between two pieces.
#[derive(Debug, Default, Table)]
#[table(
    name = "hash",
    platforms("linux"),
    require_any(path, directory),
    identity(path),
    namespaces(mount_namespace_id)
)]
#[example("One file.", "SELECT path, sha256 FROM hash WHERE path = '/etc/passwd'")]
#[example(
    "Running programs with their checksums.",
    "SELECT processes.pid, processes.path, hash.sha256 FROM processes LEFT JOIN hash ON hash.path = processes.path WHERE processes.pid < 100"
)]
pub struct Hash {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    /// Directory that contains the file.
    #[column(index, pattern)]
    directory: String,
    /// MD5 checksum, in hexadecimal.
    #[column(source = digest, collate = nocase)]
    md5: Option<String>,
    /// SHA-1 checksum, in hexadecimal.
    #[column(source = digest, collate = nocase)]
    sha1: Option<String>,
    /// SHA-256 checksum, in hexadecimal.
    #[column(source = digest, collate = nocase)]
    sha256: Option<String>,
    /// How to open it.
    #[column(skip)]
    entry: Option<Entry>,
    /// The checksums that the query needs.
    #[column(skip)]
    wanted: Wanted,
}

impl Rows for Hash {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let asked = Asked::in_scan(scan, Self::PATH, Self::DIRECTORY, &report);
        let wanted =
            Wanted { md5: scan.wants(Self::MD5), sha1: scan.wants(Self::SHA1), sha256: scan.wants(Self::SHA256) };
        let regular = asked.find(scan.sys(), &report).filter(move |found| match found.entry.is_regular() {
            Ok(is_regular) => is_regular,
            Err(error) => {
                scan.report("path", &error);
                false
            }
        });
        Ok(regular.map(move |found| Hash {
            path: found.path,
            directory: found.directory.to_string(),
            entry: Some(found.entry),
            wanted,
            ..Hash::default()
        }))
    }
}

impl Hash {
    fn digest(&mut self, _sys: &Sys) -> Result<()> {
        let Some(entry) = &self.entry else { return Ok(()) };
        let digests = digest::digests(&entry.sys, &entry.at(), self.wanted)?;
        (self.md5, self.sha1, self.sha256) = (digests.md5, digests.sha1, digests.sha256);
        Ok(())
    }
}
