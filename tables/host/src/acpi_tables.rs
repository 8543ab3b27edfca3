//! `acpi_tables`: one row per ACPI table of the firmware.

use std::path::Path;

use indago_table::prelude::*;

use crate::source::digest::{self, Wanted};
use crate::source::held::{HeldList, owned};

/// Tables with which the firmware describes the machine to the kernel, and those that were loaded later.
#[derive(Debug, Default, Table)]
#[table(name = "acpi_tables", platforms("linux"), rows = 20, identity(name))]
#[example(
    "Sizes and checksums, to compare with those of other machines of the same model.",
    "SELECT name, size, md5 FROM acpi_tables"
)]
pub struct AcpiTable {
    /// Name of the table, with a number if there are several of the name.
    name: String,
    /// Size in bytes.
    size: i64,
    /// MD5 of the table, in hexadecimal.
    #[column(source = digest, collate = nocase, needs = "root")]
    md5: Option<String>,
    /// Path of the file.
    #[column(skip)]
    path: String,
}

const FOLDER: &str = "/sys/firmware/acpi/tables";

impl Rows for AcpiTable {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        if !sys.exists(FOLDER) {
            return Err(sys.absent(format!("no ACPI tables ({FOLDER} is missing)")));
        }
        let mut rows = HeldList::new(scan.sys());
        for folder in [FOLDER.to_owned(), format!("{FOLDER}/dynamic")] {
            let entries = sys.entries(&folder).needs("root").if_present().unwrap_or_else(|error| {
                scan.report("tables", &error);
                None
            });
            for (name, kind) in entries.unwrap_or_default() {
                if !kind.is_file() {
                    continue;
                }
                let name = sys.path_text(name);
                let path = format!("{folder}/{name}");
                let owned = owned([&name, &path]);
                match sys.metadata(&path) {
                    Ok(found) => {
                        let size = i64::try_from(found.len()).unwrap_or(i64::MAX);
                        rows.push(AcpiTable { name, size, path, ..AcpiTable::default() }, owned)?;
                    }
                    Err(error) => scan.report("tables", &error),
                }
            }
        }
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rows.into_iter())
    }
}

impl AcpiTable {
    fn digest(&mut self, sys: &Sys) -> Result<()> {
        let wanted = Wanted { md5: true, ..Wanted::default() };
        self.md5 = digest::digests(sys, Path::new(&self.path), wanted).needs("root")?.md5;
        Ok(())
    }
}
