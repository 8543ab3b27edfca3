//! `carves`: no rows, because a table changes nothing.

use indago_table::prelude::*;

/// Archives of files that osquery makes for queries with `carve = 1`. Indago makes none, so there are no rows.
///
/// A table never changes the system that it reads. A query with `carve = 1` gets a warning.
#[derive(Debug, Default, Table)]
#[table(name = "carves", platforms("linux"), rows = 1, identity(carve_guid))]
#[example("There are none.", "SELECT path, status FROM carves")]
pub struct Carve {
    /// When it was made, in Unix seconds.
    time: i64,
    /// SHA-256 checksum of the archive.
    #[column(collate = nocase)]
    sha256: String,
    /// Size of the archive, in bytes.
    size: i64,
    /// Paths in the archive.
    #[column(index)]
    path: String,
    /// Status of the upload.
    status: String,
    /// ID of the archive.
    #[column(index, collate = nocase)]
    carve_guid: String,
    /// ID of the request that it was made for.
    request_id: String,
    /// 1 asks osquery to make an archive of the files at `path`.
    #[column(index)]
    carve: i64,
}

impl Rows for Carve {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        if scan.keys(Self::CARVE).is_some_and(|keys| keys.contains(&1)) {
            let what = "no archive was made, because a table changes nothing; list the files with `file` and `hash`, \
                        and archive them with `tar`";
            scan.report("carve", &Error::Unsupported(what.to_owned()));
        }
        Ok(std::iter::empty())
    }
}
