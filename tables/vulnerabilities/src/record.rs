//! Records of the OSV schema.

use indago_table::prelude::*;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::cvss;
use crate::lists::Cve;

/// A record. Fields that no table shows are not read.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) upstream: Vec<String>,
    #[serde(default)]
    pub(crate) summary: Option<String>,
    #[serde(default)]
    pub(crate) details: Option<String>,
    #[serde(default)]
    published: Option<String>,
    #[serde(default)]
    modified: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) affected: Vec<Affected>,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<Severity>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) references: Vec<Reference>,
    #[serde(default)]
    database_specific: Option<Value>,
}

/// A package that a record is about.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Affected {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) package: Package,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ranges: Vec<Range>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) versions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<Severity>,
    #[serde(default)]
    database_specific: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Package {
    #[serde(default)]
    pub(crate) ecosystem: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) purl: Option<String>,
}

/// A range of versions.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Range {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) repo: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) events: Vec<Event>,
}

/// A version at which something changes.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Event {
    #[serde(default)]
    pub(crate) introduced: Option<String>,
    #[serde(default)]
    pub(crate) fixed: Option<String>,
    #[serde(default)]
    pub(crate) last_affected: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Severity {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    score: String,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Reference {
    #[serde(default)]
    pub(crate) url: String,
}

/// What a directory of records needs to know of each of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Outline {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) modified: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) affected: Vec<AffectedOutline>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct AffectedOutline {
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) package: Package,
}

/// A value that may be missing or `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Longest identifier of a record.
const LONGEST_ID: usize = 256;

/// Parses a record, or the outline of one.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::Malformed(format!("{place}: not an OSV record: {error}")))
}

impl Outline {
    /// What is wrong with the record, if it cannot be used.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        (self.id.is_empty() || self.id.len() > LONGEST_ID).then_some("its `id` is empty or too long")
    }
}

/// How severe a vulnerability is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Grade {
    /// `none`, `low`, `medium`, `high` or `critical`.
    pub(crate) word: Option<&'static str>,
    pub(crate) score: Option<f64>,
    pub(crate) vector: Option<String>,
    pub(crate) version: Option<&'static str>,
}

impl Record {
    pub(crate) fn published(&self) -> Option<Timestamp> {
        self.published.as_deref().and_then(time)
    }

    pub(crate) fn modified(&self) -> Option<Timestamp> {
        self.modified.as_deref().and_then(time)
    }

    pub(crate) fn withdrawn(&self) -> Option<Timestamp> {
        self.withdrawn.as_deref().and_then(time)
    }

    /// Whether the record was withdrawn, even if its time is malformed.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.withdrawn.is_some()
    }

    /// The CVEs that the record is about, each once: of its identifiers, and of the records that it is made from.
    pub(crate) fn cves(&self) -> Vec<String> {
        let all = std::iter::once(&self.id).chain(&self.aliases).chain(&self.upstream);
        let mut cves: Vec<String> = Vec::new();
        for id in all.filter(|id| Cve::parse(id).is_some()) {
            if !cves.contains(id) {
                cves.push(id.clone());
            }
        }
        cves
    }

    /// The vectors and words that the record states about its severity, and about that of one affected package.
    pub(crate) fn severities(&self, affected: &Affected) -> Vec<String> {
        let all = affected.severity.iter().chain(&self.severity);
        let mut texts: Vec<String> = Vec::new();
        for severity in all {
            if !texts.contains(&severity.score) {
                texts.push(severity.score.clone());
            }
        }
        texts
    }

    /// The severity: of the newest CVSS version that the affected package has, else that the record has, else the word
    /// that the record states.
    pub(crate) fn grade(&self, affected: &Affected) -> Grade {
        let graded = |severities: &[Severity]| {
            let scores =
                severities.iter().filter_map(|severity| Some((cvss::score(&severity.score)?, &severity.score)));
            let newest = scores.max_by(|(one, _), (other, _)| {
                one.version.cmp(other.version).then_with(|| one.score.total_cmp(&other.score))
            });
            newest.map(|(score, vector)| Grade {
                word: Some(cvss::severity(&score)),
                score: Some(score.score),
                version: Some(score.version),
                vector: Some(vector.clone()),
            })
        };
        if let Some(grade) = graded(&affected.severity).or_else(|| graded(&self.severity)) {
            return grade;
        }
        let stated =
            |specific: &Option<Value>| specific.as_ref().and_then(|specific| word(specific["severity"].as_str()?));
        let listed = affected.severity.iter().chain(&self.severity);
        let unread = listed.clone().find(|severity| severity.kind.starts_with("CVSS_"));
        let listed =
            listed.filter(|severity| !severity.kind.starts_with("CVSS_")).find_map(|severity| word(&severity.score));
        Grade {
            word: listed.or_else(|| stated(&affected.database_specific)).or_else(|| stated(&self.database_specific)),
            vector: unread.map(|severity| severity.score.clone()),
            ..Grade::default()
        }
    }
}

/// The severity that a word states.
fn word(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "none" | "negligible" => "none",
        "low" => "low",
        "medium" | "moderate" => "medium",
        "high" | "important" => "high",
        "critical" => "critical",
        _ => return None,
    })
}

/// A time in RFC 3339.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| Timestamp(time.timestamp_micros()))
}

/// A date, as its first moment in UTC.
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    let date = chrono::NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?;
    Some(Timestamp(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        parse("a.json", text.as_bytes()).expect("a record")
    }

    #[test]
    fn severity_is_that_of_the_newest_vector() {
        let v3 = r#"{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}"#;
        let v4 = r#"{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}"#;
        let bad = r#"{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}"#;
        let word = r#"{"type": "Ubuntu", "score": "medium"}"#;
        for (severity, specific, expected) in [
            (format!("[{v3}]"), "null", (Some("critical"), Some(9.8), Some("3.1"))),
            (format!("[{v3}, {v4}]"), "null", (Some("critical"), Some(9.3), Some("4.0"))),
            (format!("[{v4}, {v3}]"), "null", (Some("critical"), Some(9.3), Some("4.0"))),
            (format!("[{bad}]"), r#"{"severity": "MODERATE"}"#, (Some("medium"), None, None)),
            (format!("[{bad}]"), "null", (None, None, None)),
            (format!("[{word}]"), r#"{"severity": "HIGH"}"#, (Some("medium"), None, None)),
            ("[]".to_owned(), r#"{"severity": "HIGH"}"#, (Some("high"), None, None)),
            ("[]".to_owned(), r#"{"severity": ["x"]}"#, (None, None, None)),
            ("null".to_owned(), r#""text""#, (None, None, None)),
        ] {
            let text = format!(r#"{{"id": "A", "severity": {severity}, "database_specific": {specific}}}"#);
            let grade = record(&text).grade(&Affected::default());
            assert_eq!((grade.word, grade.score, grade.version), expected, "{text}");
        }
        // The severity of a package replaces that of the record.
        let text = format!(r#"{{"id": "A", "severity": [{v4}], "affected": [{{"severity": [{v3}]}}]}}"#);
        let record = record(&text);
        assert_eq!(record.grade(&record.affected[0]).score, Some(9.8));
    }

    #[test]
    fn cves_are_those_of_the_record_and_of_what_it_is_made_from() {
        let text = r#"{"id": "DEBIAN-CVE-2001-1", "aliases": ["CVE-2001-2", "GHSA-x"], "upstream": ["CVE-2001-1", "CVE-2001-2"]}"#;
        assert_eq!(record(text).cves(), ["CVE-2001-2", "CVE-2001-1"]);
    }

    #[test]
    fn malformed_records_are_errors_with_their_file() {
        let nested = format!(r#"{{"id": "A", "database_specific": {}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        for text in ["", "[]", "{}", "{\"id\": 1}", r#"{"id": "A", "affected": 3}"#, "\u{0}", &nested] {
            let error = parse::<Record>("/osv/a.json", text.as_bytes()).expect_err("malformed").to_string();
            assert!(error.starts_with("/osv/a.json: not an OSV record: "), "{error}");
        }
        assert_eq!((time("2024-01-02T03:04:05Z"), time("x")), (Some(Timestamp(1_704_164_645_000_000)), None));
        assert_eq!((date("1970-01-02"), date("x")), (Some(Timestamp(86_400_000_000)), None));
    }
}
