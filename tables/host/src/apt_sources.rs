//! `apt_sources`: one row per repository of packages that apt uses.

use std::path::Path;

use indago_table::prelude::*;

use crate::source::deb822::{Paragraph, Paragraphs};
use crate::source::held::{HeldList, owned};

const FOLDER: &str = "/etc/apt";
const LISTS: &str = "/var/lib/apt/lists";

/// Repositories that apt is configured to use.
///
/// They come from `/etc/apt/sources.list` and from the files in `/etc/apt/sources.list.d`, in both formats: one line
/// per repository (`.list`) and paragraphs (`.sources`). A paragraph with several types, URIs or suites has a row for
/// each combination. Disabled entries have no row. The columns `release`, `version`, `maintainer`, `components` and
/// `architectures` come from the repository's release file, and are empty until `apt update` has downloaded it.
#[derive(Debug, Default, Table)]
#[table(
    name = "apt_sources",
    platforms("linux"),
    rows = 10,
    identity(source, r#type, base_uri, suite, name),
    namespaces
)]
#[example("All repositories.", "SELECT base_uri, suite, maintainer, source FROM apt_sources")]
#[example(
    "Repositories that are not encrypted.",
    "SELECT base_uri, source FROM apt_sources WHERE base_uri LIKE 'http:%'"
)]
#[example(
    "Repositories whose signatures are not checked.",
    "SELECT base_uri, source FROM apt_sources WHERE trusted = 1"
)]
pub struct AptSource {
    /// Address without its scheme, suite and components: `deb.debian.org/debian bookworm main`.
    name: String,
    /// File that configures it.
    source: String,
    /// Address, as configured.
    base_uri: String,
    /// Code name of the release: `bookworm`.
    release: String,
    /// Version of the release: `12.11`.
    #[column(collate = version_dpkg)]
    version: String,
    /// Origin of the repository: `Debian`.
    maintainer: String,
    /// Components that the repository has, separated by blanks.
    components: String,
    /// Architectures that the repository has, separated by blanks.
    architectures: String,
    /// `deb` for packages, `deb-src` for their sources.
    #[column(added)]
    r#type: String,
    /// Suite, as configured: `stable`, `bookworm-updates`.
    #[column(added)]
    suite: String,
    /// Keys that may sign the repository: a file, fingerprints, or the key itself. NULL if each trusted key may.
    #[column(added)]
    signed_by: Option<String>,
    /// Whether the repository counts as trusted without a check of its signatures: 1 or 0. NULL if not configured.
    #[column(added)]
    trusted: Option<i64>,
}

impl Rows for AptSource {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = |error: &Error| scan.report("apt", error);
        if !sys.exists(FOLDER) {
            return Err(Error::Absent(format!("apt is not configured ({FOLDER} is missing)")));
        }
        let parts = Path::new(FOLDER).join("sources.list.d");
        let mut files = sys.read_dir(&parts).if_present().unwrap_or_else(|error| {
            report(&error);
            None
        });
        files.iter_mut().for_each(|files| files.sort_unstable());
        let files = files.into_iter().flatten().map(|name| parts.join(name));
        let mut rows = HeldList::new(sys);
        for file in std::iter::once(Path::new(FOLDER).join("sources.list")).chain(files) {
            let is_paragraphs = match file.extension().and_then(|extension| extension.to_str()) {
                Some("list") => false,
                Some("sources") => true,
                _ => continue,
            };
            let bytes = match sys.read(&file) {
                Ok(bytes) => bytes,
                Err(error) => {
                    report(&error);
                    continue;
                }
            };
            let file = sys.path_text(&file);
            if is_paragraphs {
                paragraphs(sys, &file, bytes, &report, &mut rows)?;
            } else {
                lines(sys, &file, &bytes, &report, &mut rows)?;
            }
        }
        let is_from_release = scan.wants(Self::RELEASE)
            || scan.wants(Self::VERSION)
            || scan.wants(Self::MAINTAINER)
            || scan.wants(Self::COMPONENTS)
            || scan.wants(Self::ARCHITECTURES);
        Ok(rows.into_iter().map(move |mut row| {
            if is_from_release && let Err(error) = row.read_release(scan.sys()) {
                scan.report("apt", &error);
            }
            row
        }))
    }
}

/// Adds the repositories of a file with one per line.
fn lines(sys: &Sys, file: &str, bytes: &[u8], report: &impl Fn(&Error), rows: &mut HeldList<AptSource>) -> Result<()> {
    for (position, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        if line.is_empty() {
            continue;
        }
        match one_line(&sys.text(line)) {
            Ok(row) => add(AptSource { source: file.to_owned(), ..row }, rows)?,
            Err(what) => {
                report(&Error::BadLine { file: file.to_owned(), line: position as u64 + 1, what: what.to_owned() })
            }
        }
    }
    Ok(())
}

fn add(row: AptSource, rows: &mut HeldList<AptSource>) -> Result<()> {
    let owned = owned([&row.name, &row.source, &row.base_uri, &row.r#type, &row.suite])
        + owned([row.signed_by.as_deref().unwrap_or_default()]);
    rows.push(row, owned)
}

/// A repository on one line: `deb [option=value ..] uri suite component ..`.
fn one_line(line: &str) -> Result<AptSource, &'static str> {
    let (kind, rest) = line.split_once(char::is_whitespace).ok_or("no address")?;
    if !matches!(kind, "deb" | "deb-src") {
        return Err("neither `deb` nor `deb-src`");
    }
    let (options, rest) = match rest.trim_start().strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("`[` without `]`")?,
        None => ("", rest),
    };
    let mut words = words(rest).into_iter();
    let (uri, suite) = (words.next().ok_or("no address")?, words.next().ok_or("no suite")?);
    let components: Vec<String> = words.collect();
    let option = |name: &str| {
        let mut options = options.split_whitespace().filter_map(|option| option.split_once('='));
        options.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let signed_by = option("signed-by");
    Ok(repository(kind, &uri, &suite, &components.join(" "), signed_by, option("trusted").as_deref()))
}

/// The words of a line. A word may have blanks between brackets, as the names of discs do, or between quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut is_quoted, mut depth) = (String::new(), false, 0_usize);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            blank if blank.is_whitespace() && !is_quoted && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => {
                match other {
                    '[' => depth += 1,
                    ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                word.push(other);
            }
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Most rows of one paragraph, and most bytes of the texts that all of them repeat.
const MOST_ROWS: usize = 10_000;
const MOST_REPEATED: usize = 16 << 20;

/// Adds the repositories of a file with paragraphs.
fn paragraphs(
    sys: &Sys,
    file: &str,
    bytes: Vec<u8>,
    report: &impl Fn(&Error),
    rows: &mut HeldList<AptSource>,
) -> Result<()> {
    let mut paragraphs = Paragraphs::new(file, bytes);
    while let Some(paragraph) = paragraphs.next(report) {
        let words = |name| paragraph.words(name).map(|word| sys.text(word)).collect::<Vec<_>>();
        let (types, uris, suites) = (words("Types"), words("URIs"), words("Suites"));
        if is_no(&paragraph.text(sys, "Enabled")) {
            continue;
        }
        if types.is_empty() || uris.is_empty() || suites.is_empty() {
            let what = format!("{file}: a paragraph without `Types`, `URIs` or `Suites`");
            report(&Error::Malformed(what));
            continue;
        }
        let count = types.len().saturating_mul(uris.len()).saturating_mul(suites.len());
        if count > MOST_ROWS {
            report(&Error::Malformed(format!("{file}: a paragraph with more than {MOST_ROWS} repositories")));
            continue;
        }
        let components = words("Components").join(" ");
        let signed_by = signed_by(sys, &paragraph);
        let trusted = paragraph.get("Trusted").map(|_| paragraph.text(sys, "Trusted"));
        let longest = |words: &[String]| words.iter().map(String::len).max().unwrap_or_default();
        let fields = [&types, &uris, &suites].map(|words| longest(words)).iter().sum::<usize>();
        let repeated = 2 * fields + components.len() + signed_by.as_ref().map_or(0, String::len);
        if count.saturating_mul(repeated) > MOST_REPEATED {
            let what =
                format!("{file}: a paragraph whose repositories repeat more than 16 MiB of text; it was skipped");
            report(&Error::Malformed(what));
            continue;
        }
        for kind in &types {
            for uri in &uris {
                for suite in &suites {
                    let row = repository(kind, uri, suite, &components, signed_by.clone(), trusted.as_deref());
                    add(AptSource { source: file.to_owned(), ..row }, rows)?;
                }
            }
        }
    }
    Ok(())
}

/// The keys of a paragraph. The lines of a key in the file itself lose their indentation.
fn signed_by(sys: &Sys, paragraph: &Paragraph<'_>) -> Option<String> {
    let lines = paragraph.get("Signed-By")?.split(|byte| *byte == b'\n');
    let lines: Vec<String> = lines.map(|line| sys.text(line.trim_ascii())).collect();
    Some(lines.join("\n").trim().to_owned())
}

/// apt's words for "no".
fn is_no(text: &str) -> bool {
    ["no", "false", "without", "off", "disable", "0"].iter().any(|no| text.eq_ignore_ascii_case(no))
}

fn repository(
    kind: &str,
    uri: &str,
    suite: &str,
    components: &str,
    signed_by: Option<String>,
    trusted: Option<&str>,
) -> AptSource {
    let address = uri.split_once("://").map_or(uri, |(_, address)| address).trim_end_matches('/');
    AptSource {
        name: format!("{address} {suite} {components}").trim_end().to_owned(),
        base_uri: uri.to_owned(),
        r#type: kind.to_owned(),
        suite: suite.to_owned(),
        signed_by,
        trusted: trusted.map(|text| (!is_no(text)).into()),
        ..AptSource::default()
    }
}

impl AptSource {
    /// Fills the columns that come from the repository's release file.
    fn read_release(&mut self, sys: &Sys) -> Result<()> {
        let prefix = list_name(&self.base_uri, &self.suite);
        for name in ["InRelease", "Release"] {
            let path = Path::new(LISTS).join(format!("{prefix}{name}"));
            let Some(bytes) = sys.read(&path).if_present()? else { continue };
            let mut paragraphs = Paragraphs::new(sys.path_text(&path), bytes);
            // A signed file has lines around it that are not fields.
            while let Some(paragraph) = paragraphs.next(|_| {}) {
                if ["Origin", "Codename", "Suite", "Date"].iter().all(|name| paragraph.get(name).is_none()) {
                    continue;
                }
                let text = |name| paragraph.text(sys, name);
                self.release = text("Codename");
                if self.release.is_empty() {
                    self.release = text("Suite");
                }
                self.version = text("Version");
                self.maintainer = text("Origin");
                self.components = text("Components");
                self.architectures = text("Architectures");
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The name that apt gives the files of a suite, up to the file's own name.
fn list_name(uri: &str, suite: &str) -> String {
    // The name of a disc is in brackets, which apt leaves out, as it does users and passwords.
    let disc = uri.strip_prefix("cdrom:").map(|disc| disc.trim_start_matches('/').replace(['[', ']'], ""));
    let address = uri.split_once("://").map_or(uri, |(_, address)| address);
    let address = disc.as_deref().unwrap_or(address);
    let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let base = format!("{host}{path}");
    let base = base.trim_end_matches('/');
    // A suite that ends in a slash is a path of its own.
    let path = match suite.strip_suffix('/') {
        Some("") => format!("{base}/"),
        Some(_) => format!("{base}/{suite}"),
        None => format!("{base}/dists/{suite}/"),
    };
    let mut name = String::new();
    for character in path.chars() {
        match character {
            '/' => name.push('_'),
            quoted if "\\|{}[]<>\"^~_=!@#$%&*".contains(quoted) || quoted.is_ascii_control() || quoted == ' ' => {
                name.push_str(&format!("%{:02x}", quoted as u32));
            }
            other => name.push(other),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::source::damaged::damaged;

    fn read(text: &[u8], is_paragraphs: bool) -> (Vec<AptSource>, Vec<String>) {
        let sys = Sys::live();
        let (mut rows, errors) = (HeldList::new(&sys), RefCell::new(Vec::new()));
        let report = |error: &Error| errors.borrow_mut().push(error.to_string());
        let outcome = match is_paragraphs {
            true => paragraphs(&sys, "f", text.to_vec(), &report, &mut rows),
            false => lines(&sys, "f", text, &report, &mut rows),
        };
        outcome.expect("no limit of memory");
        (rows.into_iter().collect(), errors.into_inner())
    }

    #[test]
    fn text_that_many_repositories_repeat_is_limited_and_charged() {
        let suites = "s ".repeat(2000);
        let (long, short) = ("c".repeat(9000), "c".repeat(100));
        let paragraph = |components| format!("Types: deb\nURIs: u\nSuites: {suites}\nComponents: {components}\n\n");
        let (rows, errors) = read((paragraph(&long) + &paragraph(&short)).as_bytes(), true);
        assert_eq!(rows.len(), 2000);
        assert_eq!(errors, ["f: a paragraph whose repositories repeat more than 16 MiB of text; it was skipped"]);
        let root = tempfile::tempdir().expect("a directory");
        let (sys, limit) = crate::source::held::limited(root.path(), 1 << 20);
        let mut rows = HeldList::new(&sys);
        let text = paragraph(&short).repeat(2).into_bytes();
        let outcome = paragraphs(&sys, "f", text, &|error| panic!("{error}"), &mut rows);
        assert!(matches!(outcome, Err(Error::OutOfMemory(_))), "{outcome:?}");
        drop(rows);
        assert_eq!(limit.left(), 1 << 20);
    }

    #[test]
    fn lines_are_repositories() {
        let text = b"# note\ndeb http://deb.debian.org/debian/ bookworm main contrib # note\n\
                     deb-src [ arch=amd64 Signed-By=/k.gpg trusted=yes ] https://u:p@h:8/x y/\n\
                     deb cdrom:[Debian 12 amd64]/ bookworm main\nrpm x y\ndeb http://a\ndeb [x http://a b\n";
        let (rows, errors) = read(text, false);
        let show = |row: &AptSource| {
            format!("{}|{}|{}|{}|{:?}|{:?}", row.r#type, row.name, row.base_uri, row.suite, row.signed_by, row.trusted)
        };
        let rows: Vec<_> = rows.iter().map(show).collect();
        assert_eq!(
            rows,
            [
                "deb|deb.debian.org/debian bookworm main contrib|http://deb.debian.org/debian/|bookworm|None|None",
                "deb-src|u:p@h:8/x y/|https://u:p@h:8/x|y/|Some(\"/k.gpg\")|Some(1)",
                "deb|cdrom:[Debian 12 amd64] bookworm main|cdrom:[Debian 12 amd64]/|bookworm|None|None",
            ]
        );
        assert_eq!(
            errors,
            ["f, line 5: neither `deb` nor `deb-src`", "f, line 6: no suite", "f, line 7: `[` without `]`"]
        );
        damaged(text, |bytes| {
            let (rows, errors) = read(bytes, false);
            assert!(rows.len() + errors.len() <= bytes.len());
        });
    }

    #[test]
    fn paragraphs_are_repositories() {
        let text = b"Types: deb deb-src\nURIs: http://a http://b\nSuites: s\n t\nComponents: main\nTrusted: no\n\
                     Signed-By:\n -----BEGIN\n .\n abc\n\nTypes: deb\nEnabled: no\nURIs: x\nSuites: y\n\nTypes: deb\n";
        let (rows, errors) = read(text, true);
        assert_eq!(rows.len(), 8);
        assert_eq!((rows[7].r#type.as_str(), rows[7].name.as_str()), ("deb-src", "b t main"));
        assert_eq!((rows[0].signed_by.as_deref(), rows[0].trusted), (Some("-----BEGIN\n.\nabc"), Some(0)));
        assert_eq!(errors, ["f: a paragraph without `Types`, `URIs` or `Suites`"]);
    }

    /// Expected values: apt 2.6.1 (`apt-get update --print-uris`).
    #[test]
    fn files_have_the_names_that_apt_gives_them() {
        for (uri, suite, name) in [
            ("http://deb.debian.org/debian", "bookworm", "deb.debian.org_debian_dists_bookworm_"),
            ("http://u:p@h:80/x_y/", "a/b", "h:80_x%5fy_dists_a_b_"),
            ("https://h/x", "flat/", "h_x_flat_"),
            ("https://h/x~y", "./", "h_x%7ey_._"),
            ("https://h/root", "/", "h_root_"),
            (
                "cdrom:[Debian 12 _Bookworm_ - amd64]/",
                "bookworm",
                "Debian%2012%20%5fBookworm%5f%20-%20amd64_dists_bookworm_",
            ),
        ] {
            assert_eq!(list_name(uri, suite), name, "{uri}");
        }
    }
}
