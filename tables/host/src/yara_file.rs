//! `yara_file`: what YARA rules find in files.

use std::rc::Rc;

use indago_table::prelude::*;

use crate::source::paths::{Asked, Entry, Report};
use crate::source::yara::{self, Rules};

/// YARA rules on the content of files.
///
/// A query needs a constraint on `path`: `=`, `IN`, a join, or `LIKE`; and rules: `sigfile` or `sigrule`. Each file has
/// one row per file of rules, also if no rule matches. Only regular files are scanned, up to 256 MiB each and for at
/// most a minute. Modules of YARA that work without other programs can be used: `elf`, `pe`, `macho`, `dex`, `hash`,
/// `math`, `string`, `time`, `console`.
#[derive(Debug, Default, Table)]
#[table(
    name = "yara_file",
    platforms("linux"),
    require_any(path),
    identity(path, sig_group, sigfile, sigrule),
    namespaces,
    cost(scan = 100)
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
    /// Names of the rules that match, separated by commas.
    #[column(source = scan)]
    matches: Option<String>,
    /// Number of rules that match.
    #[column(source = scan)]
    count: Option<i64>,
    /// Group of configured signatures. Groups are not supported: a query that names one gets a warning.
    #[column(index, selects)]
    sig_group: String,
    /// File of rules; a relative name is below `/etc/osquery/yara`. It is read from the machine that Indago runs on and
    /// may include others.
    #[column(index, selects)]
    sigfile: String,
    /// Text of rules; it cannot include files.
    #[column(index, selects, hidden)]
    sigrule: String,
    /// Strings that matched, with their offsets in hexadecimal: `$a:1f`, separated by commas.
    #[column(source = scan)]
    strings: Option<String>,
    /// Tags of the rules that match, separated by commas.
    #[column(source = scan)]
    tags: Option<String>,
    /// Address of rules. Rules are not downloaded: a query that names one gets a warning.
    #[column(index, selects, hidden)]
    sigurl: String,
    /// How to open it.
    #[column(skip)]
    entry: Option<Entry>,
    /// The rules of the row.
    #[column(skip)]
    rules: Option<Rules>,
}

/// Limit in bytes of a scanned file.
const MOST_BYTES: u64 = 256 << 20;

impl Rows for YaraFile {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let report: Report<'_> = Rc::new(|origin, error| scan.report(origin, error));
        let keys =
            [scan.keys(Self::SIG_GROUP), scan.keys(Self::SIGFILE), scan.keys(Self::SIGRULE), scan.keys(Self::SIGURL)];
        let rules = yara::compiled(&Sys::live(), keys, |origin, error| scan.report(origin, error));
        let paths = if rules.is_empty() { Some(Vec::new()) } else { scan.keys(Self::PATH) };
        let asked = Asked::of(paths, None, scan.patterns(Self::PATH), &[], &report);
        let regular = asked.find(scan.sys(), &report).filter(move |found| {
            found.entry.is_regular().unwrap_or_else(|error| {
                scan.report("path", &error);
                false
            })
        });
        Ok(regular.flat_map(move |found| {
            let row = |rules: &Rules| {
                let [sig_group, sigfile, sigrule, sigurl] = yara::columns(&rules.signature);
                let (path, entry) = (found.path.clone(), Some(found.entry.clone()));
                YaraFile {
                    path,
                    sig_group,
                    sigfile,
                    sigrule,
                    sigurl,
                    entry,
                    rules: Some(rules.clone()),
                    ..Self::default()
                }
            };
            rules.iter().map(row).collect::<Vec<_>>()
        }))
    }
}

impl YaraFile {
    fn scan(&mut self, _sys: &Sys) -> Result<()> {
        let (Some(entry), Some(rules)) = (&self.entry, &self.rules) else { return Ok(()) };
        let bytes = entry.sys.read_at_most(entry.at(), MOST_BYTES)?;
        let _held = entry.sys.meter().hold(bytes.len())?;
        let found = rules.scan(&self.path, &bytes)?;
        (self.matches, self.count) = (Some(found.matches), Some(found.count));
        (self.strings, self.tags) = (Some(found.strings), Some(found.tags));
        Ok(())
    }
}
