//! `elf_info`: one row per ELF file that the query names.

use std::io::Read;
use std::rc::Rc;

use indago_table::prelude::*;
use indago_table::sys::SysFile;

use crate::source::elf::{self, Facts};
use crate::source::paths::{Asked, Found, Report};

/// Headers and hardening of ELF files: programs, libraries, kernel modules.
///
/// A query needs a constraint on `path` or `directory`: `=`, `IN`, a join, or `LIKE`. Other files have no rows. Files
/// are read up to 256 MiB. A malformed table of sections costs only the columns that need it, because the loader does
/// not read it either.
#[derive(Debug, Default, Table)]
#[table(name = "elf_info", platforms("linux"), require_any(path, directory), identity(path), namespaces)]
#[example("A program.", "SELECT type, machine, interpreter, needed FROM elf_info WHERE path = '/bin/sh'")]
#[example(
    "Programs without protection against overwritten return addresses.",
    "SELECT path FROM elf_info WHERE directory = '/usr/sbin' AND canary = 0 AND type = 'dyn' LIMIT 10"
)]
pub struct ElfInfo {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    /// Directory that contains it.
    #[column(index, pattern)]
    directory: String,
    /// Width of its addresses: 32 or 64.
    bits: i64,
    /// Byte order: `little` or `big`.
    byte_order: String,
    /// Application binary interface, such as `sysv` or `linux`, or its number.
    abi: String,
    /// Version of that interface.
    abi_version: i64,
    /// Kind of file: `rel` (object file or kernel module), `exec` (program at a fixed address), `dyn` (program or
    /// library at any address), `core`, or its number.
    r#type: String,
    /// Architecture, such as `x86_64` or `aarch64`, or its number.
    machine: String,
    /// Address at which the program starts.
    entry_point: i64,
    /// Flags of the architecture.
    machine_flags: i64,
    /// Loader of a dynamic program; NULL for other files.
    interpreter: Option<String>,
    /// Name of a library that other files refer to; NULL if it has none.
    soname: Option<String>,
    /// Directories in which its libraries are searched first, separated by colons (RUNPATH or RPATH); NULL if none.
    runpath: Option<String>,
    /// Libraries that it needs.
    needed: Vec<String>,
    /// Build ID, in hexadecimal; NULL if it has none.
    build_id: Option<String>,
    /// Whether it has a dynamic section: 1, or 0 for a static program.
    dynamic: i64,
    /// Whether it is a program that can be loaded at any address: 1 or 0.
    pie: i64,
    /// Whether its table of symbols was removed: 1 or 0. The dynamic symbols always remain.
    stripped: i64,
    /// Whether it has debugging information: 1 or 0.
    debug_info: i64,
    /// Whether its stack is executable: 1 or 0; NULL if it does not state that.
    executable_stack: Option<i64>,
    /// How much of its relocations is read-only after the start: `full`, `partial` or `none`.
    relro: String,
    /// Whether it checks for overwritten return addresses (`-fstack-protector`): 1 or 0.
    canary: i64,
}

impl Rows for ElfInfo {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let asked = Asked::in_scan(scan, Self::PATH, Self::DIRECTORY, &report);
        let found = asked.find(scan.sys(), &report);
        Ok(found.filter_map(move |found| {
            let facts = read(&found, elf::facts).unwrap_or_else(|error| {
                scan.report(&found.path, &error);
                None
            });
            let facts = facts?;
            if let Some(what) = facts.skipped {
                scan.report(&found.path, &Error::Malformed(format!("{}: {what} were skipped", found.path)));
            }
            Some(row(found, facts))
        }))
    }
}

/// Limit in bytes of a file.
const MOST_BYTES: u64 = 256 << 20;

/// Passes the content of an ELF file to a reader. Any other file is `None`.
pub(crate) fn read<T>(found: &Found, parse: impl FnOnce(&[u8]) -> Result<T>) -> Result<Option<T>> {
    if !found.entry.is_regular()? {
        return Ok(None);
    }
    let at = found.entry.at();
    let mut file = found.entry.sys.open(&at)?;
    let mut data = start(&mut file).map_err(|error| found.entry.sys.read_error(&at, &error))?;
    if !elf::is_elf(&data) {
        return Ok(None);
    }
    file.read_rest(&at, &mut data, MOST_BYTES)?;
    let _held = found.entry.sys.meter().hold(data.len())?;
    let named = |error| match error {
        Error::Malformed(what) => Error::Malformed(format!("{}: {what}", found.path)),
        other => other,
    };
    parse(&data).map(Some).map_err(named)
}

/// The first bytes of a file, by which its kind is known.
fn start(file: &mut SysFile) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start)?;
    Ok(start)
}

fn row(found: Found, facts: Facts) -> ElfInfo {
    ElfInfo {
        path: found.path,
        directory: found.directory.to_string(),
        bits: facts.bits,
        byte_order: if facts.is_little_endian { "little" } else { "big" }.to_owned(),
        abi: named(&ABIS, facts.abi),
        abi_version: facts.abi_version,
        r#type: named(&KINDS, facts.kind),
        machine: named(&MACHINES, facts.machine),
        entry_point: facts.entry,
        machine_flags: facts.flags,
        interpreter: facts.interpreter,
        soname: facts.soname,
        runpath: facts.runpath,
        needed: facts.needed,
        build_id: facts.build_id,
        dynamic: facts.is_dynamic.into(),
        pie: facts.is_position_independent.into(),
        stripped: (!facts.has_symbols).into(),
        debug_info: facts.has_debug_info.into(),
        executable_stack: facts.has_executable_stack.map(i64::from),
        relro: facts.relro.to_owned(),
        canary: facts.has_canary.into(),
    }
}

const ABIS: [(i64, &str); 6] =
    [(0, "sysv"), (2, "netbsd"), (3, "linux"), (6, "solaris"), (9, "freebsd"), (12, "openbsd")];
const KINDS: [(i64, &str); 5] = [(0, "none"), (1, "rel"), (2, "exec"), (3, "dyn"), (4, "core")];
const MACHINES: [(i64, &str); 14] = [
    (2, "sparc"),
    (3, "i386"),
    (8, "mips"),
    (20, "ppc"),
    (21, "ppc64"),
    (22, "s390"),
    (40, "arm"),
    (42, "sh"),
    (43, "sparcv9"),
    (50, "ia64"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv"),
    (258, "loongarch"),
];

/// The name of a number, or the number itself.
pub(crate) fn named(names: &[(i64, &str)], number: i64) -> String {
    let name = names.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| number.to_string())
}
