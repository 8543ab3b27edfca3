//! `vulnerabilities`: one row per package and record that affects it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use indago_table::prelude::*;

use crate::ecosystem::{self, Package};
use crate::index::{Index, Opened};
use crate::lists::Cve;
use crate::purl::Purl;
use crate::record::Record;
use crate::{Vulnerabilities, affected};

/// Known vulnerabilities of packages, each package by its package URL.
///
/// A query needs a constraint on `purl`: `=`, `IN`, or a join with `sbom_packages`. The records are those of the table
/// `osv_records`. Versions are compared by the rules of the package's ecosystem. For Debian, Ubuntu, Alpine and most
/// distributions with RPM, records name source packages, so the qualifier `upstream` counts; the qualifier `distro` selects
/// the release. A package without a version is not affected. Ranges of git commits are not matched. Only the package's
/// version counts: a distribution's fix without a new version, or code that is never called, is not known here.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "vulnerabilities", env = Vulnerabilities, rows = 5, identity(purl, id))]
#[example(
    "Vulnerable packages of this host, the most likely to be exploited first.",
    "SELECT p.name, p.version, v.id, v.severity, v.fixed, v.epss FROM sbom_packages p \
     JOIN vulnerabilities v USING (purl) ORDER BY v.known_exploited DESC, v.epss DESC"
)]
#[example(
    "What affects one package.",
    "SELECT id, aliases, severity, fixed FROM vulnerabilities WHERE purl = 'pkg:npm/lodash@4.17.20'"
)]
#[example(
    "Vulnerable packages in running containers.",
    "SELECT c.name, p.name AS package, v.id, v.severity FROM containers c \
     JOIN sbom_packages p ON p.container_id = c.id JOIN vulnerabilities v ON v.purl = p.purl"
)]
pub struct Vulnerability {
    /// Package URL, as written in the query.
    #[column(required)]
    purl: String,
    /// Identifier of the record.
    id: String,
    /// Identifiers of the same vulnerability in other databases.
    aliases: Vec<String>,
    /// CVEs among the identifiers of the record and of the records that it is made from.
    cves: Vec<String>,
    /// Ecosystem, as the record names it: `npm`, `Debian:12`.
    ecosystem: String,
    /// Name of the package, as the record has it. For most distributions, it is the source package.
    name: String,
    /// Version that was compared: of the package, or of its source package.
    version: String,
    /// Versions that fix it, the lowest first: the next one of each range that contains the version. Empty if the record
    /// states none.
    fixed: Vec<String>,
    /// Severity: `none`, `low`, `medium`, `high` or `critical`; of the CVSS score, or else as the record states it. NULL
    /// if it states none.
    severity: Option<String>,
    /// CVSS score, from 0 to 10, computed from the vector; NULL if there is no valid vector.
    cvss_score: Option<f64>,
    /// CVSS vector: of the newest version of CVSS that the record has; NULL if it has none.
    cvss_vector: Option<String>,
    /// Version of CVSS: `2.0`, `3.0`, `3.1` or `4.0`.
    cvss_version: Option<String>,
    /// Probability that the vulnerability is exploited within 30 days, from 0 to 1; the highest of its CVEs. NULL if
    /// `vulnerabilities.epss` is not set, or if its file does not have the CVE.
    epss: Option<f64>,
    /// Share of all vulnerabilities with a lower or equal probability, from 0 to 1.
    epss_percentile: Option<f64>,
    /// Whether it is in the list of known-exploited vulnerabilities; NULL if `vulnerabilities.known_exploited` is not set
    /// or could not be read.
    known_exploited: Option<bool>,
    /// Date on which it was added to that list.
    known_exploited_since: Option<Timestamp>,
    /// Time of publication of the record.
    published: Option<Timestamp>,
    /// Time of the last change of the record.
    modified: Option<Timestamp>,
    /// State of the record: `active` or `withdrawn`. Without a constraint on it, only active records are matched.
    #[column(slice, selects)]
    status: String,
    /// Time at which the record was withdrawn; NULL if it is active.
    withdrawn: Option<Timestamp>,
    /// Summary in one line; NULL if the record has none.
    summary: Option<String>,
    /// What contains the version: a `range`, or the list of `versions`.
    r#match: String,
}

/// The states of records.
const ACTIVE: &str = "active";
const WITHDRAWN: &str = "withdrawn";

impl Rows for Vulnerability {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let env = scan.env();
        // Whether a package is vulnerable is then not known.
        env.unset().into_iter().for_each(|what| scan.report("osv", &Error::Unsupported(what)));
        let index = env.index.get(scan, &env.sys, &env.settings)?;
        let named = scan.named_keys(Self::PURL).is_some();
        let mut purls = scan.keys(Self::PURL).unwrap_or_default();
        purls.sort_unstable();
        purls.dedup();
        // The packages that each record may affect, so that each record is read once.
        let mut packages: Vec<(Arc<str>, Package)> = Vec::new();
        let mut candidates: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut unknown: BTreeSet<String> = BTreeSet::new();
        for text in purls {
            let found = match Purl::parse(&text) {
                Some(purl) => ecosystem::packages(&purl),
                None if named => {
                    let what = format!("{text:?} is not a package URL; write it as in `pkg:npm/lodash@4.17.20`");
                    scan.report("purl", &Error::Malformed(what));
                    continue;
                }
                None => continue,
            };
            let text: Arc<str> = text.into();
            match found {
                Ok(found) => {
                    for package in found {
                        let records = index.of_package(package.ecosystem, &package.name);
                        for record in records {
                            candidates.entry(*record).or_default().push(packages.len());
                        }
                        if package.needs_release() && !records.is_empty() {
                            unknown.insert(format!("{} packages without the qualifier `distro`", package.ecosystem));
                        }
                        packages.push((Arc::clone(&text), package));
                    }
                }
                Err(what) => _ = unknown.insert(what),
            }
        }
        for what in unknown {
            let error = format!("{what} are not matched, because their ecosystem is not known");
            scan.report(what, &Error::Unsupported(error));
        }
        let states = [ACTIVE, WITHDRAWN].map(|state| match scan.keys(Self::STATUS) {
            Some(keys) => keys.iter().any(|key| key == state),
            None => state == ACTIVE,
        });
        let (mut candidates, mut opened, mut ready) = (candidates.into_iter(), Opened::default(), VecDeque::new());
        Ok(std::iter::from_fn(move || {
            loop {
                if let Some(row) = ready.pop_front() {
                    return Some(row);
                }
                env.sys.check_cancelled().ok()?;
                let (position, of) = candidates.next()?;
                let record = match index.read(&env.sys, position, &mut opened) {
                    Ok((record, _)) => record,
                    Err(error) => {
                        scan.report(index.place(position), &error);
                        continue;
                    }
                };
                if !states[usize::from(record.is_withdrawn())] {
                    continue;
                }
                let mut last = None;
                for (purl, package) in of.iter().filter_map(|position| packages.get(*position)) {
                    // A record may list both the package and its source package.
                    if last == Some(purl) {
                        continue;
                    }
                    let mut report = |what: String| scan.report(&record.id, &Error::Malformed(what));
                    if let Some(found) = affected::find(&record, package, &mut report) {
                        ready.push_back(row(&index, purl, package, &record, found));
                        last = Some(purl);
                    }
                }
            }
        }))
    }
}

fn row(index: &Index, purl: &str, package: &Package, record: &Record, found: affected::Match<'_>) -> Vulnerability {
    let grade = record.grade(found.affected);
    let cves = record.cves();
    let ids = || cves.iter().filter_map(|id| Cve::parse(id));
    let scores = index.scores.iter().flat_map(|scores| ids().filter_map(|cve| scores.get(cve)));
    let epss = scores.max_by(|one, other| one.score.total_cmp(&other.score));
    let listed = index.exploited.as_ref().map(|list| ids().filter_map(|cve| list.get(cve)).collect::<Vec<_>>());
    Vulnerability {
        purl: purl.to_owned(),
        id: record.id.clone(),
        aliases: record.aliases.clone(),
        ecosystem: match found.affected.package.ecosystem.as_str() {
            "" => package.ecosystem.to_owned(),
            ecosystem => ecosystem.to_owned(),
        },
        name: match found.affected.package.name.as_str() {
            "" => package.name.clone(),
            name => name.to_owned(),
        },
        version: package.version.clone(),
        severity: grade.word.map(str::to_owned),
        cvss_score: grade.score,
        cvss_vector: grade.vector,
        cvss_version: grade.version.map(str::to_owned),
        epss: epss.map(|epss| epss.score),
        epss_percentile: epss.map(|epss| epss.percentile),
        known_exploited: listed.as_ref().map(|listed| !listed.is_empty()),
        known_exploited_since: listed.and_then(|listed| listed.into_iter().flatten().min()),
        published: record.published(),
        modified: record.modified(),
        status: if record.is_withdrawn() { WITHDRAWN } else { ACTIVE }.to_owned(),
        withdrawn: record.withdrawn(),
        summary: record.summary.clone(),
        r#match: found.by.to_owned(),
        fixed: found.fixed,
        cves,
    }
}
