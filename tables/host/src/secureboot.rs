//! `secureboot`: one row about the firmware's check of boot loaders.

use indago_table::prelude::*;

use crate::source::efi;

/// Whether the UEFI firmware starts only signed boot loaders.
#[derive(Debug, Default, Table)]
#[table(name = "secureboot", platforms("linux"), rows = 1)]
#[example("Whether secure boot is in force.", "SELECT secure_boot FROM secureboot WHERE setup_mode = 0")]
pub struct SecureBoot {
    /// Whether secure boot is on: 1 or 0; NULL if the firmware does not tell.
    secure_boot: Option<i64>,
    /// Whether keys can be changed without a signature: 1 or 0; NULL if the firmware does not tell.
    setup_mode: Option<i64>,
}

impl Rows for SecureBoot {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        efi::require(scan.sys())?;
        let flag = |name: &str| {
            let value = efi::variable(scan.sys(), name, efi::GLOBAL).unwrap_or_else(|error| {
                scan.report(name, &error);
                None
            });
            let value = value?;
            match value.as_slice() {
                [flag] => Some(i64::from(*flag)),
                _ => {
                    let what = format!("the EFI variable {name} has {} bytes instead of 1", value.len());
                    scan.report(name, &Error::Malformed(what));
                    None
                }
            }
        };
        let row = SecureBoot { secure_boot: flag("SecureBoot"), setup_mode: flag("SetupMode") };
        Ok(std::iter::once(row))
    }
}
