//! `magic`: what a file contains, as the system's program `file` identifies it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use indago_table::prelude::*;
use indago_table::sys::Program;

use crate::source::paths::{Asked, Entry, Report};

/// Kinds of files, by their content.
///
/// The program `file` of the machine that Indago runs on identifies them, so its package must be installed. It gets open
/// files, also those of containers and other roots, and runs once for up to 64 of them. A query needs a constraint on
/// `path`: `=`, `IN`, a join, or `LIKE`. Directories, devices, pipes and sockets have rows; they are not opened. A path
/// that does not exist has no row.
#[derive(Debug, Default, Table)]
#[table(
    name = "magic",
    platforms("linux"),
    require_any(path),
    identity(path, magic_db_files),
    namespaces,
    batch(kind = 64, mime = 64),
    cost(kind = 50, mime = 50)
)]
#[example("One file.", "SELECT data, mime_type, mime_encoding FROM magic WHERE path = '/bin/sh'")]
#[example(
    "Programs in /tmp, whatever their names are.",
    "SELECT path, data FROM magic WHERE path LIKE '/tmp/%' AND data LIKE 'ELF %'"
)]
pub struct Magic {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    /// Databases of magic patterns, separated by colons: the one that `file` uses, or set `= ` to use others. They are
    /// files of the machine that Indago runs on.
    #[column(index, selects)]
    magic_db_files: String,
    /// Description of the content.
    #[column(source = kind)]
    data: Option<String>,
    /// MIME type, such as `text/plain`.
    #[column(source = mime)]
    mime_type: Option<String>,
    /// Character encoding of a text, such as `us-ascii`; `binary` for other files.
    #[column(source = mime)]
    mime_encoding: Option<String>,
    /// How to open it.
    #[column(skip)]
    entry: Option<Entry>,
    /// Databases that the query names.
    #[column(skip)]
    databases: Option<String>,
}

/// Places of the default database, in the order in which osquery searches it.
const DATABASES: [&str; 3] = ["/usr/share/misc/magic", "/usr/share/misc/magic.mgc", "/usr/share/file/magic/magic"];

impl Rows for Magic {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let asked = Asked::of(scan.keys(Self::PATH), None, scan.patterns(Self::PATH), &[], &report);
        let own = Sys::live();
        let default = DATABASES.iter().find(|path| own.exists(path)).map_or(String::new(), ToString::to_string);
        let mut databases: Vec<Option<String>> = match scan.keys(Self::MAGIC_DB_FILES) {
            Some(keys) => keys.into_iter().map(Some).collect(),
            None => vec![None],
        };
        databases.sort_unstable();
        databases.dedup();
        let rows = move |found: crate::source::paths::Found| {
            let (path, entry, default) = (found.path, found.entry, default.clone());
            databases.clone().into_iter().map(move |databases| Magic {
                path: path.clone(),
                magic_db_files: databases.clone().unwrap_or_else(|| default.clone()),
                entry: Some(entry.clone()),
                databases,
                ..Magic::default()
            })
        };
        Ok(asked.find(scan.sys(), &report).flat_map(rows))
    }
}

impl Magic {
    fn kind(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        identify(rows, sys, "--no-pad", |row, description| row.data = Some(description))
    }

    fn mime(rows: &mut [Loading<'_, Self>], sys: &Sys) -> Result<()> {
        identify(rows, sys, "--mime", |row, description| match description.rsplit_once("; charset=") {
            Some((kind, encoding)) => {
                row.mime_type = Some(kind.to_owned());
                row.mime_encoding = Some(encoding.to_owned());
            }
            None => row.mime_type = Some(description),
        })
    }
}

/// Runs `file` for the rows of each database.
fn identify(rows: &mut [Loading<'_, Magic>], sys: &Sys, option: &str, fill: impl Fn(&mut Magic, String)) -> Result<()> {
    let mut files: BTreeMap<Option<String>, (Vec<usize>, Vec<OwnedFd>)> = BTreeMap::new();
    for (position, row) in rows.iter_mut().enumerate() {
        let Some(entry) = &row.entry else { continue };
        match held(entry) {
            Ok(file) => {
                let (positions, held) = files.entry(row.databases.clone()).or_default();
                positions.push(position);
                held.push(file);
            }
            Err(error) => row.fail(error),
        }
    }
    for (databases, (positions, files)) in files {
        let mut program = Program::new("`file`", "file");
        program.install_hint = Some("with the package `file`".to_owned());
        // A NUL follows each name and each description, so there is nothing to pad.
        program.arguments = ["-00", "--dereference", option].map(str::to_owned).to_vec();
        program.arguments.extend(databases.iter().flat_map(|databases| ["--magic-file".to_owned(), databases.clone()]));
        program.arguments.push("--".to_owned());
        // The locale decides which characters are escaped.
        program.variables = vec![("LC_ALL".to_owned(), "C.UTF-8".to_owned())];
        let output = sys.run_for(&files, &program)?;
        let descriptions = descriptions(&output.stdout);
        if descriptions.len() != positions.len() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let complaint = complaint.lines().next().unwrap_or("it printed too few descriptions").to_owned();
            return Err(Error::Io { what: "`file`".to_owned(), message: complaint });
        }
        for (position, description) in positions.into_iter().zip(descriptions) {
            let row = &mut rows[position];
            match description.strip_prefix(b"ERROR: ") {
                Some(message) => {
                    let (what, message) = (row.path.clone(), String::from_utf8_lossy(message).into_owned());
                    row.fail(Error::Io { what, message });
                }
                None => fill(row, sys.text(description)),
            }
        }
    }
    Ok(())
}

/// The descriptions in the output: each follows a name.
fn descriptions(printed: &[u8]) -> Vec<&[u8]> {
    let printed = printed.strip_suffix(&[0]).unwrap_or(printed);
    if printed.is_empty() {
        return Vec::new();
    }
    printed.split(|byte| *byte == 0).skip(1).step_by(2).collect()
}

/// A handle of the file. One that may not be read fails here, because `file` would describe that in words.
fn held(entry: &Entry) -> Result<OwnedFd> {
    match entry.sys.open(entry.at()) {
        Ok(file) => Ok(OwnedFd::from(file)),
        Err(Error::Malformed(_)) => entry.sys.hold(entry.at()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_follow_names() {
        assert_eq!(descriptions(b"/a\0empty\0/b\0ASCII text\0"), [&b"empty"[..], b"ASCII text"]);
        for damaged in [&b""[..], b"\0", b"/a\0", b"/a"] {
            assert!(descriptions(damaged).len() <= 1, "{damaged:?}");
        }
    }
}
