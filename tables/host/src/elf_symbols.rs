//! `elf_symbols`: one row per symbol of the ELF files that the query names.

use std::rc::Rc;

use indago_table::prelude::*;

use crate::elf_info::{named, read};
use crate::source::elf::{self, Symbol};
use crate::source::held::{HeldList, owned};
use crate::source::paths::{Asked, Report};

/// Symbols of ELF files: functions and data that they define or need.
///
/// A query needs a constraint on `path`: `=`, `IN`, a join, or `LIKE`. Other files have no rows. Files are read up to
/// 256 MiB.
#[derive(Debug, Default, Table)]
#[table(name = "elf_symbols", platforms("linux"), require_any(path), rows = 500, identity(), namespaces)]
#[example(
    "Functions that a program takes from its libraries.",
    "SELECT name FROM elf_symbols WHERE path = '/bin/sh' AND section_index = 0 AND type = 'func' LIMIT 5"
)]
pub struct ElfSymbol {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    /// Name of the symbol; empty for the symbol of a section.
    name: String,
    /// Its value: an address, or an offset in its section in an object file.
    addr: i64,
    /// Size in bytes; 0 if it is not known.
    size: i64,
    /// Kind: `notype`, `object`, `func`, `section`, `file`, `common`, `tls`, `ifunc`, or its number.
    r#type: String,
    /// Binding: `local`, `global`, `weak`, `unique`, or its number.
    binding: String,
    /// Visibility: `default`, `internal`, `hidden` or `protected`.
    visibility: String,
    /// Index of its section; 0 if another file defines it, 65521 (0xfff1) for an absolute value.
    section_index: i64,
    /// Table that lists it: `.symtab` or `.dynsym`.
    table: String,
}

const KINDS: [(i64, &str); 8] =
    [(0, "notype"), (1, "object"), (2, "func"), (3, "section"), (4, "file"), (5, "common"), (6, "tls"), (10, "ifunc")];
const BINDINGS: [(i64, &str); 4] = [(0, "local"), (1, "global"), (2, "weak"), (10, "unique")];
const VISIBILITIES: [(i64, &str); 4] = [(0, "default"), (1, "internal"), (2, "hidden"), (3, "protected")];

impl Rows for ElfSymbol {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let asked = Asked::of(scan.keys(Self::PATH), None, scan.patterns(Self::PATH), &[], &report);
        let of_file = move |found: crate::source::paths::Found| {
            // The rows of a file wait together; a file of 256 MiB has at most 11 million symbols.
            let mut rows = HeldList::new(scan.sys());
            let outcome = read(&found, |data| {
                let mut outcome = Ok(());
                elf::symbols(data, &mut |symbol| {
                    outcome = add(row(&found.path, symbol), &mut rows);
                    outcome.is_ok() && !scan.is_done()
                })?;
                outcome
            });
            if let Err(error) = outcome {
                scan.report(&found.path, &error);
            }
            rows
        };
        Ok(asked.find(scan.sys(), &report).flat_map(of_file))
    }
}

fn add(row: ElfSymbol, rows: &mut HeldList<ElfSymbol>) -> Result<()> {
    let owned = owned([&row.path, &row.name, &row.r#type, &row.binding, &row.visibility, &row.table]);
    rows.push(row, owned)
}

fn row(path: &str, symbol: Symbol) -> ElfSymbol {
    ElfSymbol {
        path: path.to_owned(),
        name: symbol.name,
        addr: symbol.address,
        size: symbol.size,
        r#type: named(&KINDS, symbol.kind.into()),
        binding: named(&BINDINGS, symbol.binding.into()),
        visibility: named(&VISIBILITIES, symbol.visibility.into()),
        section_index: symbol.section,
        table: symbol.table.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_symbols_are_charged() {
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = crate::source::held::limited(root.path(), 1 << 20);
        let mut rows = HeldList::new(&sys);
        let name = "n".repeat(400 << 10);
        let mut push = || add(ElfSymbol { name: name.clone(), ..ElfSymbol::default() }, &mut rows);
        assert_eq!((push(), push(), push().is_err()), (Ok(()), Ok(()), true));
        drop(rows);
        assert_eq!(limit.left(), 1 << 20);
    }
}
