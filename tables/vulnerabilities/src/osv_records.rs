//! `osv_records`: one row per package that an OSV record is about.

use std::collections::VecDeque;

use indago_table::prelude::*;

use crate::index::Opened;
use crate::record::{Affected, Record};
use crate::{Vulnerabilities, affected};

/// Records of known vulnerabilities from local files, as databases publish them in the OSV schema.
///
/// The setting `vulnerabilities.osv` names directories and zip archives; nothing is downloaded. A record without packages
/// has one row. Of two records with the same identifier, the one that was modified later is read. Withdrawn records are
/// included. The table `vulnerabilities` matches packages with these records.
#[derive(Debug, Clone, Default, Table)]
#[table(name = "osv_records", env = Vulnerabilities, rows = 200_000, identity(id, position))]
#[example("A record.", "SELECT id, summary, ecosystem, name, ranges FROM osv_records WHERE id = 'CVE-2021-44228'")]
#[example(
    "Records that cannot be matched with packages, by reason.",
    "SELECT unmatched, count(*) FROM osv_records WHERE unmatched IS NOT NULL GROUP BY unmatched"
)]
pub struct OsvRecord {
    /// Identifier, such as `GHSA-jfh8-c2jp-5v3q`.
    #[column(index)]
    id: String,
    /// Number of the package within the record, from 1.
    position: i64,
    /// Identifiers of the same vulnerability in other databases.
    aliases: Vec<String>,
    /// Identifiers of the vulnerabilities that the record is made from.
    upstream: Vec<String>,
    /// Summary in one line; NULL if the record has none.
    summary: Option<String>,
    /// Description; NULL if the record has none.
    details: Option<String>,
    /// Time of publication; NULL if the record has none.
    published: Option<Timestamp>,
    /// Time of the last change.
    modified: Option<Timestamp>,
    /// Time at which the record was withdrawn; NULL if it is valid.
    withdrawn: Option<Timestamp>,
    /// Ecosystem of the package, such as `npm` or `Debian:12`; NULL if the record names no package.
    ecosystem: Option<String>,
    /// Name of the package; NULL if the record names no package.
    name: Option<String>,
    /// Package URL that the record states; NULL if it states none.
    purl: Option<String>,
    /// Affected ranges: each is its type and its events, such as `SEMVER introduced 0 fixed 1.2.3`.
    ranges: Vec<String>,
    /// Affected versions that the record lists one by one.
    versions: Vec<String>,
    /// CVSS vectors and other severities of the package and of the record.
    severities: Vec<String>,
    /// URLs about the vulnerability.
    references: Vec<String>,
    /// Reason that `vulnerabilities` matches no package with this row; NULL if it can.
    unmatched: Option<String>,
    /// File that has the record.
    path: String,
}

impl Rows for OsvRecord {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let env = scan.env();
        // Without records, there are none: nothing is missing.
        env.unset().into_iter().for_each(|what| scan.report("osv", &Error::Absent(what)));
        let index = env.index.get(scan, &env.sys, &env.settings)?;
        let positions: Box<dyn Iterator<Item = u32>> = match scan.keys(Self::ID) {
            Some(ids) => {
                let mut positions: Vec<u32> = ids.iter().filter_map(|id| index.of_id(id)).collect();
                positions.sort_unstable();
                positions.dedup();
                Box::new(positions.into_iter())
            }
            None => Box::new(0..index.len()),
        };
        let (mut positions, mut opened, mut ready) = (positions, Opened::default(), VecDeque::new());
        Ok(std::iter::from_fn(move || {
            loop {
                if let Some(row) = ready.pop_front() {
                    return Some(row);
                }
                env.sys.check_cancelled().ok()?;
                let position = positions.next()?;
                match index.read(&env.sys, position, &mut opened) {
                    Ok((record, path)) => ready.extend(of_record(&record, &path)),
                    Err(error) => scan.report(index.place(position), &error),
                }
            }
        }))
    }
}

fn of_record(record: &Record, path: &str) -> Vec<OsvRecord> {
    let none = [Affected::default()];
    let listed = if record.affected.is_empty() { &none[..] } else { &record.affected };
    let row = |(position, affected): (i64, &Affected)| {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        OsvRecord {
            id: record.id.clone(),
            position,
            aliases: record.aliases.clone(),
            upstream: record.upstream.clone(),
            summary: record.summary.clone(),
            details: record.details.clone(),
            published: record.published(),
            modified: record.modified(),
            withdrawn: record.withdrawn(),
            ecosystem: text(&affected.package.ecosystem),
            name: text(&affected.package.name),
            purl: affected.package.purl.clone(),
            ranges: affected.ranges.iter().map(range).collect(),
            versions: affected.versions.clone(),
            severities: record.severities(affected),
            references: record.references.iter().map(|reference| reference.url.clone()).collect(),
            unmatched: affected::unmatched(affected).map(str::to_owned),
            path: path.to_owned(),
        }
    };
    (1..).zip(listed).map(row).collect()
}

/// A range as one text.
fn range(range: &crate::record::Range) -> String {
    let mut text = range.kind.clone();
    if let Some(repository) = &range.repo {
        text.push_str(&format!(" {repository}"));
    }
    for event in &range.events {
        let changes = [
            ("introduced", &event.introduced),
            ("fixed", &event.fixed),
            ("last_affected", &event.last_affected),
            ("limit", &event.limit),
        ];
        for (name, version) in changes.into_iter().filter_map(|(name, version)| Some((name, version.as_ref()?))) {
            text.push_str(&format!(" {name} {version}"));
        }
    }
    text
}
