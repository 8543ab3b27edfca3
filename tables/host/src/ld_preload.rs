//! `ld_preload`: one row per library or directory that the dynamic loader is told to use.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::held::{HeldList, owned};
use crate::source::homes;
use crate::source::loader::{VARIABLES, assignments, libraries};
use crate::source::procfs::{self, PTRACE};
use crate::source::texts::{Texts, settings, split_word};
use crate::source::{glob, unit_files};

/// Libraries that the dynamic loader loads into programs in addition to those they need, and directories in which it
/// searches for libraries.
///
/// Read are `/etc/ld.so.preload`, `/etc/ld.so.conf` with its includes, the environments of running processes, the
/// environments of systemd's units, and the files that set variables for logins and shells.
#[derive(Debug, Default, PartialEq, Table)]
#[table(
    name = "ld_preload",
    platforms("linux"),
    rows = 10,
    identity(source, file, line, unit, pid, variable, value),
    namespaces
)]
#[example(
    "Libraries that programs are made to load.",
    "SELECT source, value, file, pid FROM ld_preload WHERE source != 'ld.so.conf' AND variable IS NOT 'LD_LIBRARY_PATH'"
)]
pub struct LdPreload {
    /// Where it is set: `ld.so.preload` (for all programs), `ld.so.conf` (a directory), `process`, `unit` or `profile`.
    source: String,
    /// Variable: `LD_PRELOAD`, `LD_AUDIT` or `LD_LIBRARY_PATH`; NULL for the files of the loader.
    variable: Option<String>,
    /// Library or directory.
    value: String,
    /// Whether the path exists; NULL for a name that the loader looks for.
    path_exists: Option<bool>,
    /// File that sets it; NULL for a process.
    file: Option<String>,
    /// Line in the file, from 1; NULL for a process and a unit.
    line: Option<i64>,
    /// Unit of systemd.
    unit: Option<String>,
    /// Process that was started with the variable.
    pid: Option<i64>,
}

pub(crate) const PRELOAD: &str = "/etc/ld.so.preload";
const CONF: &str = "/etc/ld.so.conf";

/// Files that set variables for all logins and shells; patterns of them; and those in home directories.
const PROFILES: [&str; 10] = [
    "/etc/environment",
    "/etc/profile",
    "/etc/profile.d/*",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh/*",
    "/etc/zshenv",
    "/etc/security/pam_env.conf",
    "/etc/environment.d/*",
    "/etc/systemd/*.conf",
];
const PROFILES_OF_USERS: [&str; 9] = [
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".pam_environment",
    ".config/environment.d/*",
];

impl Rows for LdPreload {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |error: &Error| scan.report("libraries", error);
        let texts = Texts::new(sys, &report);
        if texts.got(sys.metadata("/etc")).is_none() {
            return Err(Error::Unsupported("the dynamic loader has no settings (/etc does not exist)".to_owned()));
        }
        let mut rows = HeldList::new(sys);
        of_loader(&texts, MOST_FILES, &mut rows)?;
        of_profiles(&texts, &|origin, error| scan.report(origin, error), &mut rows)?;
        // Other init systems have no units, and a host of files has no processes.
        match unit_files::unit_files(sys, &|origin, error| scan.report(origin, error)) {
            Ok(units) => units.iter().flat_map(of_unit).try_for_each(|row| add(row, &mut rows))?,
            Err(Error::Absent(_)) => {}
            Err(error) if error.ends_query() => return Err(error),
            Err(error) => report(&error),
        }
        let rows = rows
            .into_iter()
            .map(|row| LdPreload { path_exists: row.value.starts_with('/').then(|| sys.exists(&row.value)), ..row });
        let pids = match sys.has_live_kernel() {
            true => procfs::pids(sys, |origin, error| scan.report(origin, error))?,
            false => Vec::new(),
        };
        let of_processes = pids.into_iter().flat_map(move |pid| {
            of_process(sys, pid).unwrap_or_else(|error| {
                scan.report("environ", &error);
                Vec::new()
            })
        });
        Ok(rows.chain(of_processes))
    }
}

fn row(source: &str, variable: Option<&str>, value: &str) -> LdPreload {
    LdPreload {
        source: source.to_owned(),
        variable: variable.map(str::to_owned),
        value: value.to_owned(),
        ..LdPreload::default()
    }
}

/// The libraries in `/etc/ld.so.preload`, with their lines.
pub(crate) fn preloaded(texts: &Texts<'_>) -> Result<HeldList<(i64, String)>> {
    let text = texts.text(PRELOAD).unwrap_or_default();
    let mut lines = text.lines().zip(1..).flat_map(|(line, number)| {
        let names = line.split('#').next().unwrap_or_default();
        libraries(VARIABLES[0], names).map(move |library| (number, library))
    });
    let mut found = HeldList::new(texts.sys);
    lines.try_for_each(|(number, library)| found.push((number, library.to_owned()), owned([library])))?;
    Ok(found)
}

/// Most files of the loader that are read.
const MOST_FILES: usize = 10_000;

/// The loader's own files.
fn of_loader(texts: &Texts<'_>, most_files: usize, rows: &mut HeldList<LdPreload>) -> Result<()> {
    let mut preloaded = preloaded(texts)?.into_iter().map(|(line, library)| LdPreload {
        file: Some(PRELOAD.to_owned()),
        line: Some(line),
        ..row("ld.so.preload", None, &library)
    });
    preloaded.try_for_each(|row| add(row, rows))?;
    let mut waiting = vec![PathBuf::from(CONF)];
    let mut seen = HashSet::from([PathBuf::from(CONF)]);
    while let Some(path) = waiting.pop() {
        let Some(text) = texts.text(&path) else { continue };
        for (line, content) in settings(&text) {
            let content = content.split('#').next().unwrap_or_default().trim();
            match split_word(content) {
                ("include", patterns) => {
                    let directory = path.parent().unwrap_or(Path::new("/"));
                    for pattern in patterns.split_whitespace() {
                        let mut included = glob::expand(texts, &glob::absolute(pattern, directory));
                        included.reverse();
                        // Each file counts once, so includes that form a loop end.
                        let new = included.into_iter().filter(|path| seen.insert(path.clone()));
                        waiting.extend(new.collect::<Vec<_>>());
                        if seen.len() > most_files {
                            let what = format!("{CONF} includes more than {most_files} files; the others were skipped");
                            texts.report(&Error::Malformed(what));
                            return Ok(());
                        }
                    }
                }
                ("hwcap", _) | ("", _) => {}
                _ => {
                    let (file, line) = (Some(texts.sys.path_text(&path)), Some(line as i64));
                    add(LdPreload { file, line, ..row("ld.so.conf", None, content) }, rows)?;
                }
            }
        }
    }
    Ok(())
}

fn add(row: LdPreload, rows: &mut HeldList<LdPreload>) -> Result<()> {
    let optional = [&row.variable, &row.file, &row.unit].map(|text| text.as_deref().unwrap_or_default());
    let owned = owned([&row.source, &row.value]) + owned(optional);
    rows.push(row, owned)
}

/// Files that set variables for logins and shells.
fn of_profiles(texts: &Texts<'_>, report: &dyn Fn(&str, &Error), rows: &mut HeldList<LdPreload>) -> Result<()> {
    let of_system = PROFILES.iter().flat_map(|pattern| glob::expand(texts, pattern));
    let users = homes::all(texts.sys, report).unwrap_or_else(|error| {
        texts.report(&error);
        HeldList::default()
    });
    let of_users = users.iter().flat_map(|home| {
        PROFILES_OF_USERS.iter().flat_map(|name| glob::expand(texts, &glob::absolute(name, &home.directory)))
    });
    let mut seen = HashSet::new();
    for path in of_system.chain(of_users).filter(|path| seen.insert(path.clone())) {
        let Some(text) = texts.text(&path) else { continue };
        for (line, content) in settings(&text) {
            for (variable, value) in assignments(content) {
                let (file, line) = (Some(texts.sys.path_text(&path)), Some(line as i64));
                let values = libraries(variable, &value).map(|value| row("profile", Some(variable), value));
                let mut values = values.map(|row| LdPreload { file: file.clone(), line, ..row });
                values.try_for_each(|row| add(row, rows))?;
            }
        }
    }
    Ok(())
}

fn of_unit(unit: &unit_files::UnitFile) -> Vec<LdPreload> {
    let values = unit.settings.all("Service", "Environment");
    let assigned = values.into_iter().flat_map(assignments);
    let split = assigned.flat_map(|(variable, value)| {
        libraries(variable, &value).map(|value| row("unit", Some(variable), value)).collect::<Vec<_>>()
    });
    split.map(|row| LdPreload { file: Some(unit.path.clone()), unit: Some(unit.name.clone()), ..row }).collect()
}

fn of_process(sys: &Sys, pid: i64) -> Result<Vec<LdPreload>> {
    let take = |bytes: &[u8]| {
        let mut rows = Vec::new();
        for entry in procfs::texts(bytes) {
            for variable in VARIABLES {
                let value = entry.strip_prefix(variable.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
                let value = procfs::text(value.unwrap_or_default());
                let values = libraries(variable, &value).map(|value| row("process", Some(variable), value));
                rows.extend(values.map(|row| LdPreload { pid: Some(pid), ..row }));
            }
        }
        Ok(rows)
    };
    let folder = procfs::folder(sys, pid).for_one_file();
    let mut rows: Vec<LdPreload> = procfs::with_bytes(&folder, "environ", take).needs(PTRACE)?;
    if rows.iter().any(|row| row.value.starts_with('/')) {
        // The path is one of the process's own root.
        let root = sys.below(format!("/proc/{pid}/root")).needs(PTRACE)?;
        for row in rows.iter_mut().filter(|row| row.value.starts_with('/')) {
            row.path_exists = Some(root.exists(&row.value));
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::source::held::limited;

    #[test]
    fn included_files_are_limited_and_libraries_are_charged() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("etc/d")).expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).expect("a file");
        for name in ["a", "b", "c"] {
            write(&format!("etc/d/{name}"), "include /etc/ld.so.conf\n/lib/x\n");
        }
        write("etc/ld.so.conf", "include d/*\n/lib\n");
        let (sys, limit) = limited(root.path(), 1 << 20);
        let reported = RefCell::new(Vec::new());
        let report = |error: &Error| reported.borrow_mut().push(error.to_string());
        let texts = Texts::new(&sys, &report);
        let count = |most| {
            let mut rows = HeldList::new(&sys);
            of_loader(&texts, most, &mut rows).map(|()| rows.len())
        };
        assert_eq!((count(4), reported.take()), (Ok(4), Vec::new()));
        assert_eq!(count(3), Ok(0));
        assert_eq!(reported.take(), ["/etc/ld.so.conf includes more than 3 files; the others were skipped"]);
        write("etc/ld.so.preload", &"/a ".repeat(20_000));
        assert!(matches!(count(4), Err(Error::OutOfMemory(_))));
        assert_eq!(limit.left(), 1 << 20);
    }
}
