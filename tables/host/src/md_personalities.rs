//! `md_personalities`: one row per kind of array that the RAID driver supports.

use indago_table::prelude::*;

use crate::source::md;

/// Kinds of arrays that the kernel's RAID driver supports now.
#[derive(Debug, Default, Table)]
#[table(name = "md_personalities", platforms("linux"), rows = 5, identity(name))]
#[example("All kinds.", "SELECT name FROM md_personalities")]
pub struct MdPersonality {
    /// Name of the kind, such as `raid1`.
    name: String,
}

impl Rows for MdPersonality {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(md::read(scan.sys())?.personalities.into_iter().map(|name| MdPersonality { name }))
    }
}
