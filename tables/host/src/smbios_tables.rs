//! `smbios_tables`: one row per SMBIOS structure of the firmware.

use indago_table::prelude::*;
use md5::{Digest, Md5};

use crate::source::smbios::{self, Structure};

/// SMBIOS structures, with which the firmware describes the machine's hardware.
#[derive(Debug, Default, Table)]
#[table(name = "smbios_tables", platforms("linux"), rows = 60, needs("root"), whole_source, identity(number))]
#[example(
    "Number of structures of each kind.",
    "SELECT type, description, count(*) AS structures FROM smbios_tables GROUP BY type"
)]
pub struct SmbiosTable {
    /// Position in the firmware's table, from 0.
    number: i64,
    /// Kind of the structure.
    r#type: i64,
    /// Name of the kind.
    description: String,
    /// Handle, by which other structures refer to it.
    handle: i64,
    /// Bytes of its header and fields.
    header_size: i64,
    /// Bytes of the structure, with its texts.
    size: i64,
    /// MD5 of the structure, in hexadecimal.
    #[column(collate = nocase)]
    md5: String,
}

impl Rows for SmbiosTable {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        smbios::rows(scan.sys(), &[], |origin, error| scan.report(origin, error), row)
    }
}

fn row(structure: Structure<'_>) -> SmbiosTable {
    SmbiosTable {
        number: structure.number as i64,
        r#type: structure.kind.into(),
        description: smbios::kind_name(structure.kind).to_owned(),
        handle: structure.handle.into(),
        header_size: structure.fields.len() as i64,
        size: structure.bytes.len() as i64,
        md5: hex::encode(Md5::digest(structure.bytes)),
    }
}
