//! A table of a host that is a folder of files.

use indago_table::{Error, ErrorContext, Reading, Result, ScanContext, Sink, Slice, Sys, Table, TableRef, TableSpec};

/// The table of a host whose folder may not be there: no disk is mounted, its name is misspelt. That is no host without
/// rows, and is said to whoever reads the table.
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
        let guarded = |slice: Slice| match slice.reading {
            Reading::Blocking(read) => {
                let host = self.host.clone();
                let read = move |sink: &mut dyn Sink| {
                    require_folder(&host)?;
                    read(sink)
                };
                Slice { reading: Reading::Blocking(Box::new(read)), ..slice }
            }
            _ => slice,
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
        // An error that the host is gone would pass without a word.
        _ => Err(Error::Io { what: host.root_name().to_string(), message: "no such folder".to_owned() }),
    }
}
