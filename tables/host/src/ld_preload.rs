//! `ld_preload`: one row per library or directory that the dynamic loader is told to use.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::source::homes::{self, Home};
use crate::source::loader::{VARIABLES, assignments, libraries};
use crate::source::procfs::{self, PTRACE};
use crate::source::texts::{Texts, settings, split_word};
use crate::source::{glob, unit_files};

/// Libraries that programs load although they do not ask for them, and directories in which the dynamic loader looks
/// for libraries.
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
        let mut rows = of_loader(&texts);
        rows.extend(of_profiles(&texts, &|origin, error| scan.report(origin, error)));
        // Other init systems have no units, and a host of files has no processes.
        match unit_files::unit_files(sys, &|origin, error| scan.report(origin, error)) {
            Ok(units) => rows.extend(units.iter().flat_map(of_unit)),
            Err(Error::Unsupported(_)) => {}
            Err(error) => report(&error),
        }
        rows.iter_mut().for_each(|row| row.path_exists = row.value.starts_with('/').then(|| sys.exists(&row.value)));
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
        Ok(rows.into_iter().chain(of_processes))
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
pub(crate) fn preloaded(texts: &Texts<'_>) -> Vec<(i64, String)> {
    let text = texts.text(PRELOAD).unwrap_or_default();
    let lines = text.lines().zip(1..).flat_map(|(line, number)| {
        let names = line.split('#').next().unwrap_or_default();
        libraries(VARIABLES[0], names).map(move |library| (number, library.to_owned()))
    });
    lines.collect()
}

/// The loader's own files.
fn of_loader(texts: &Texts<'_>) -> Vec<LdPreload> {
    let preloaded = preloaded(texts).into_iter().map(|(line, library)| LdPreload {
        file: Some(PRELOAD.to_owned()),
        line: Some(line),
        ..row("ld.so.preload", None, &library)
    });
    let mut rows: Vec<_> = preloaded.collect();
    let mut waiting = vec![PathBuf::from(CONF)];
    let mut seen = HashSet::new();
    while let Some(path) = waiting.pop() {
        // Each file counts once, so includes that form a loop end.
        let Some(text) = seen.insert(path.clone()).then(|| texts.text(&path)).flatten() else { continue };
        for (line, content) in settings(&text) {
            let content = content.split('#').next().unwrap_or_default().trim();
            match split_word(content) {
                ("include", patterns) => {
                    let directory = path.parent().unwrap_or(Path::new("/"));
                    for pattern in patterns.split_whitespace() {
                        let mut included = glob::expand(texts, &glob::absolute(pattern, directory));
                        included.reverse();
                        waiting.extend(included);
                    }
                }
                ("hwcap", _) | ("", _) => {}
                _ => {
                    let (file, line) = (Some(texts.sys.path_text(&path)), Some(line as i64));
                    rows.push(LdPreload { file, line, ..row("ld.so.conf", None, content) });
                }
            }
        }
    }
    rows
}

/// Files that set variables for logins and shells.
fn of_profiles(texts: &Texts<'_>, report: &dyn Fn(&str, &Error)) -> Vec<LdPreload> {
    let of_system = PROFILES.iter().flat_map(|pattern| glob::expand(texts, pattern));
    let users: Vec<Home> = homes::all(texts.sys, report).unwrap_or_else(|error| {
        texts.report(&error);
        Vec::new()
    });
    let of_users = users.iter().flat_map(|home| {
        PROFILES_OF_USERS.iter().flat_map(|name| glob::expand(texts, &glob::absolute(name, &home.directory)))
    });
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    for path in of_system.chain(of_users).filter(|path| seen.insert(path.clone())) {
        let Some(text) = texts.text(&path) else { continue };
        for (line, content) in settings(&text) {
            for (variable, value) in assignments(content) {
                let (file, line) = (Some(texts.sys.path_text(&path)), Some(line as i64));
                let values = libraries(variable, &value).map(|value| row("profile", Some(variable), value));
                rows.extend(values.map(|row| LdPreload { file: file.clone(), line, ..row }));
            }
        }
    }
    rows
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
