//! `yara_file`: what YARA rules find in files.

use std::rc::Rc;

use indago_table::prelude::*;

use crate::source::paths::{Asked, Report};
use crate::source::yara::{self, Findings, Rules, Target};

/// YARA rules on the content of files.
///
/// A query needs a constraint on `path`: `=`, `IN`, a join, or `LIKE`; and rules: `sigfile` or `sigrule`. Each file has
/// one row per file of rules, also if no rule matches. Only regular files are scanned, for at most a minute each. A file
/// above 256 MiB is reported, unless its size alone excludes every match (`filesize < 1MB and ..`); no file with such a
/// size is read. Modules of YARA that work without other programs can be used: `elf`, `pe`, `macho`, `dex`, `hash`,
/// `math`, `string`, `time`, `console`.
#[derive(Debug, Default, Table)]
#[table(
    name = "yara_file",
    platforms("linux"),
    require_any(path),
    identity(path, sig_group, sigfile, sigrule),
    namespaces
)]
#[example(
    "Files in /tmp that contain a text.",
    "SELECT path, matches FROM yara_file WHERE path LIKE '/tmp/%' AND count > 0 \
     AND sigrule = 'rule key { strings: $a = \"BEGIN OPENSSH PRIVATE KEY\" condition: $a }'"
)]
pub struct YaraFile {
    /// Path, as written in the query.
    #[column(index, pattern)]
    path: String,
    #[column(flatten)]
    findings: Findings,
}

impl Rows for YaraFile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let rules = yara::asked(scan, Self::FINDINGS);
        let paths = if rules.is_empty() { Some(Vec::new()) } else { scan.keys(Self::PATH) };
        let asked = Asked::of(paths, None, scan.patterns(Self::PATH), &[], &report);
        let regular = asked.find(scan.sys(), &report).filter(move |found| {
            found.entry.is_regular().unwrap_or_else(|error| {
                scan.report("path", &error);
                false
            })
        });
        Ok(regular.flat_map(move |found| {
            let target = || Target::File { path: found.path.clone(), entry: found.entry.clone() };
            let row = |rules: &Rules| YaraFile { path: found.path.clone(), findings: Findings::of(target(), rules) };
            rules.iter().map(row).collect::<Vec<_>>()
        }))
    }
}
