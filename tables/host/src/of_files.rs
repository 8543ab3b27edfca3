//! Tables of a host that is a directory of files.

use indago_table::{Error, ErrorContext, Reading, Result, ScanContext, Slice, Sys, Table, TableRef, TableSpec};

/// A table of a host whose directory may be missing, because a disk is not mounted or its name is misspelt. That is an
/// error, not a host without rows.
#[derive(Debug)]
pub(crate) struct OfFiles {
    pub(crate) host: Sys,
    pub(crate) table: TableRef,
}

impl Table for OfFiles {
    fn spec(&self) -> &TableSpec {
        self.table.spec()
    }

    fn slices(&self, context: &ScanContext) -> Result<Vec<Slice>> {
        let guarded = |slice: Slice| {
            let host = self.host.clone();
            let reading = match slice.reading {
                Reading::Blocking(read) => Reading::Blocking(Box::new(move |sink| {
                    require_folder(&host)?;
                    read(sink)
                })),
                Reading::Finding(find) => Reading::Finding(Box::new(move |found| {
                    require_folder(&host)?;
                    find(found)
                })),
                reading => reading,
            };
            Slice { reading, ..slice }
        };
        Ok(self.table.slices(context)?.into_iter().map(guarded).collect())
    }

    fn checks_filters(&self) -> bool {
        self.table.checks_filters()
    }
}

fn require_folder(host: &Sys) -> Result<()> {
    match host.metadata("/").if_present()? {
        Some(root) if root.is_dir() => Ok(()),
        // Not `Gone`: the scan would report nothing.
        _ => Err(Error::Io { what: host.root_name().to_string(), message: "no such directory".to_owned() }),
    }
}
