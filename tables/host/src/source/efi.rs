//! Variables of the UEFI firmware.

use indago_table::prelude::*;

/// Vendor of the variables that the specification of UEFI defines.
pub(crate) const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

const FOLDER: &str = "/sys/firmware/efi/efivars";

/// Fails on a machine without such firmware.
pub(crate) fn require(sys: &Sys) -> Result<()> {
    match sys.exists(FOLDER) {
        true => Ok(()),
        false => Err(Error::Unsupported(format!("no UEFI firmware ({FOLDER} is missing)"))),
    }
}

/// Path of a variable's file.
pub(crate) fn path(name: &str, vendor: &str) -> String {
    format!("{FOLDER}/{name}-{vendor}")
}

/// The value of a variable; `None` if it does not exist.
pub(crate) fn variable(sys: &Sys, name: &str, vendor: &str) -> Result<Option<Vec<u8>>> {
    let Some(bytes) = sys.read(path(name, vendor)).if_present()? else { return Ok(None) };
    // Four bytes of attributes precede the value.
    match bytes.get(4..) {
        Some(value) => Ok(Some(value.to_vec())),
        None => Err(Error::Malformed(format!("{} is shorter than its attributes", path(name, vendor)))),
    }
}
