//! Lists about CVEs: scores of EPSS, and known-exploited vulnerabilities.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use indago_table::prelude::*;
use serde::Deserialize;

use crate::record::date;

/// Most bytes of a list after decompression.
const MOST_BYTES: u64 = 256 << 20;

/// The identifier of a CVE: its year and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cve(u32, u64);

impl Cve {
    /// Parses `CVE-2021-44228`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (year, number) = text.strip_prefix("CVE-")?.split_once('-')?;
        let is_number = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_short = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(year) && is_short(number)).then_some(())?;
        Some(Cve(year.parse().ok()?, number.parse().ok()?))
    }
}

/// The probability that a vulnerability is exploited in the next 30 days, and the share of vulnerabilities with a lower one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Epss {
    pub(crate) score: f64,
    pub(crate) percentile: f64,
}

/// EPSS scores, sorted by CVE.
#[derive(Debug, Default)]
pub(crate) struct Scores(Vec<(Cve, Epss)>);

impl Scores {
    /// Reads a CSV file as FIRST publishes it, packed with gzip or not.
    pub(crate) fn read(sys: &Sys, path: &Path) -> Result<Self> {
        let mut scores = Vec::new();
        let mut held = sys.meter().hold(0)?;
        rows(sys, path, ["cve", "epss", "percentile"], |[cve, score, percentile]| {
            let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| (0.0..=1.0).contains(number));
            if let (Some(cve), Some(score), Some(percentile)) = (Cve::parse(cve), number(score), number(percentile)) {
                scores.push((cve, Epss { score, percentile }));
            }
            held.cover(scores.capacity() * size_of::<(Cve, Epss)>())
        })?;
        scores.sort_by_key(|(cve, _)| *cve);
        scores.shrink_to_fit();
        Ok(Scores(scores))
    }

    pub(crate) fn get(&self, cve: Cve) -> Option<Epss> {
        let at = self.0.binary_search_by_key(&cve, |(cve, _)| *cve).ok()?;
        self.0.get(at).map(|(_, score)| *score)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Cve, Epss)>()
    }
}

/// Known-exploited CVEs, and the dates on which they were listed.
#[derive(Debug, Default)]
pub(crate) struct Exploited(HashMap<Cve, Option<Timestamp>>);

/// CISA's catalog in JSON.
#[derive(Debug, Deserialize)]
struct Catalog {
    vulnerabilities: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(rename = "cveID")]
    cve: String,
    #[serde(default)]
    date_added: Option<String>,
}

impl Exploited {
    /// Reads CISA's catalog, in JSON or CSV.
    pub(crate) fn read(sys: &Sys, path: &Path) -> Result<Self> {
        let mut found = HashMap::new();
        let mut add = |cve: &str, since: Option<&str>| {
            if let Some(cve) = Cve::parse(cve.trim()) {
                found.insert(cve, since.and_then(date));
            }
        };
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            let bytes = sys.read_at_most(path, 64 << 20)?;
            let _held = sys.meter().hold(bytes.len())?;
            let catalog: Catalog = serde_json::from_slice(&bytes).map_err(|error| {
                Error::Malformed(format!("{}: not a list of known-exploited vulnerabilities: {error}", path.display()))
            })?;
            catalog.vulnerabilities.iter().for_each(|listed| add(&listed.cve, listed.date_added.as_deref()));
        } else {
            rows(sys, path, ["cveID", "dateAdded"], |[cve, since]| {
                add(cve, Some(since));
                Ok(())
            })?;
        }
        Ok(Exploited(found))
    }

    /// Whether a CVE is listed, with its date if the list has one.
    pub(crate) fn get(&self, cve: Cve) -> Option<Option<Timestamp>> {
        self.0.get(&cve).copied()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Cve, Option<Timestamp>)>() * 2
    }
}

/// Calls a function for each row of a CSV file, with the values of some columns. Lines that start with `#` are comments.
fn rows<const N: usize>(
    sys: &Sys,
    path: &Path,
    columns: [&str; N],
    mut each: impl FnMut([&str; N]) -> Result<()>,
) -> Result<()> {
    let file = sys.open(path)?;
    let is_packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let bytes: Box<dyn Read> =
        if is_packed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let malformed = |what: String| Error::Malformed(format!("{}: {what}", path.display()));
    let mut bytes = bytes.take(MOST_BYTES + 1);
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).from_reader(&mut bytes);
    let headers = reader.byte_headers().map_err(|error| malformed(error.to_string()))?.clone();
    let mut positions = [0; N];
    for (position, column) in positions.iter_mut().zip(columns) {
        let found = headers.iter().position(|header| header.trim_ascii().eq_ignore_ascii_case(column.as_bytes()));
        *position = found.ok_or_else(|| malformed(format!("the column `{column}` is missing")))?;
    }
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) if sys.meter().is_cancelled() => return Err(Error::Cancelled),
            Err(error) => return Err(malformed(error.to_string())),
        }
        let text = |at: usize| std::str::from_utf8(record.get(at).unwrap_or_default()).unwrap_or_default();
        each(positions.map(text))?;
    }
    drop(reader);
    match bytes.limit() {
        0 => Err(malformed(format!("it is larger than the limit of {} MiB", MOST_BYTES >> 20))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn cve(text: &str) -> Cve {
        Cve::parse(text).unwrap_or_else(|| panic!("{text} is one"))
    }

    #[test]
    fn identifiers_are_exact() {
        assert_eq!(cve("CVE-2021-44228"), Cve(2021, 44228));
        for text in [
            "",
            "CVE",
            "CVE-2021",
            "CVE-2021-",
            "CVE-21-1",
            "cve-2021-1",
            "CVE-2021-1x",
            "CVE-+202-1",
            "CVE-2021-99999999999999999999999",
        ] {
            assert_eq!(Cve::parse(text), None, "{text}");
        }
    }

    #[test]
    fn scores_are_read_packed_or_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let sys = Sys::at(folder.path());
        let text = "#model_version:v1,score_date:2024-01-01\ncve,epss,percentile\nCVE-2021-2,0.5,0.9\nCVE-2020-1,0.00042,0.05\nCVE-2020-3,2,0.1\nx,0.1,0.1\nCVE-2020-4\n";
        fs::write(folder.path().join("a.csv"), text).expect("a file");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).expect("memory is writable");
        fs::write(folder.path().join("a.csv.gz"), packed.finish().expect("memory is writable")).expect("a file");
        for file in ["/a.csv", "/a.csv.gz"] {
            let scores = Scores::read(&sys, Path::new(file)).expect("readable");
            assert_eq!(scores.0.len(), 2, "{file}");
            assert_eq!(scores.get(cve("CVE-2020-1")), Some(Epss { score: 0.00042, percentile: 0.05 }));
            assert_eq!(scores.get(cve("CVE-2020-9")), None);
        }
        fs::write(folder.path().join("b.csv"), "a,b\n1,2\n").expect("a file");
        let error = Scores::read(&sys, Path::new("/b.csv")).expect_err("no scores").to_string();
        assert_eq!(error, "/b.csv: the column `cve` is missing");
        fs::write(folder.path().join("b.csv.gz"), "no gzip").expect("a file");
        assert!(Scores::read(&sys, Path::new("/b.csv.gz")).is_err());
        assert!(Scores::read(&sys, Path::new("/none.csv")).is_err());
    }

    #[test]
    fn exploited_vulnerabilities_are_read_in_both_forms() {
        let folder = tempfile::tempdir().expect("a folder");
        let sys = Sys::at(folder.path());
        let json = r#"{"title": "x", "vulnerabilities": [{"cveID": "CVE-2021-1", "dateAdded": "2021-11-03"}, {"cveID": "CVE-2021-2"}]}"#;
        fs::write(folder.path().join("a.json"), json).expect("a file");
        fs::write(folder.path().join("a.csv"), "cveID,name,dateAdded\nCVE-2021-1,\"a, b\",2021-11-03\nCVE-2021-2,x,\n")
            .expect("a file");
        for file in ["/a.json", "/a.csv"] {
            let found = Exploited::read(&sys, Path::new(file)).expect("readable");
            assert_eq!(found.get(cve("CVE-2021-1")), Some(date("2021-11-03")), "{file}");
            assert_eq!((found.get(cve("CVE-2021-2")), found.get(cve("CVE-2021-3"))), (Some(None), None), "{file}");
        }
        fs::write(folder.path().join("b.json"), "[]").expect("a file");
        let error = Exploited::read(&sys, Path::new("/b.json")).expect_err("no list").to_string();
        assert!(error.starts_with("/b.json: not a list of known-exploited vulnerabilities: "), "{error}");
    }
}
