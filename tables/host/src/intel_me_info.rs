//! `intel_me_info`: one row per Intel management engine.

use indago_table::prelude::*;

use crate::source::sysfs::names;

/// Version of the Intel management engine: a processor in the chipset that runs its own system.
#[derive(Debug, Default, Table)]
#[table(name = "intel_me_info", platforms("linux"), rows = 1, identity(version))]
#[example("Version of the engine's firmware.", "SELECT version FROM intel_me_info")]
pub struct IntelMeInfo {
    /// Version of the firmware.
    #[column(collate = version)]
    version: String,
}

const FOLDER: &str = "/sys/class/mei";

impl Rows for IntelMeInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let engines = names(scan.sys(), FOLDER)?;
        if engines.is_empty() {
            return Err(scan.sys().absent(format!("no Intel management engine ({FOLDER} has no device)")));
        }
        Ok(engines.into_iter().filter_map(move |engine| {
            let text = scan.sys().read_text(format!("{FOLDER}/{engine}/fw_ver")).if_present();
            let text = text.map_err(|error| scan.report("fw_ver", &error)).ok().flatten()?;
            Some(IntelMeInfo { version: version(&text)? })
        }))
    }
}

/// Three lines, of the main, recovery and flash tool's code, each as `0:14.1.53.1649`.
fn version(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    let version = line.split_once(':').map_or(line, |(_platform, version)| version).trim();
    (!version.is_empty()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_has_the_version() {
        let text = "0:14.1.53.1649\n0:14.1.53.1649\n0:14.0.10.1204\n";
        assert_eq!(version(text).as_deref(), Some("14.1.53.1649"));
        assert_eq!(version(""), None);
        assert_eq!(version("0:\n"), None);
    }
}
