//! `oem_strings`: one row per text that the machine's maker put into the firmware.

use indago_table::prelude::*;

use crate::source::smbios::{self, Structure};

/// Free texts of the machine's maker in the firmware's SMBIOS structures.
#[derive(Debug, Default, Table)]
#[table(name = "oem_strings", platforms("linux"), rows = 5, needs("root"), whole_source, identity(handle, number))]
#[example("All texts.", "SELECT number, value FROM oem_strings")]
pub struct OemString {
    /// Handle of the SMBIOS structure, in hexadecimal with `0x`.
    handle: String,
    /// Number of the text in its structure, from 1.
    number: i64,
    /// The text.
    value: String,
}

impl Rows for OemString {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        Ok(smbios::rows(scan.sys(), &[11], |origin, error| scan.report(origin, error), texts)?.flatten())
    }
}

fn texts(structure: Structure<'_>) -> Vec<OemString> {
    let count = structure.byte(4).unwrap_or(0);
    let text = |number: u8| {
        let value = structure.text_of_number(number)?;
        Some(OemString { handle: structure.handle(), number: number.into(), value })
    };
    (1..=count).filter_map(text).collect()
}
