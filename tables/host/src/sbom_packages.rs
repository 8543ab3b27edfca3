//! `sbom_packages`: one row per package of a host, of any kind.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use indago_table::prelude::*;

use crate::os_version::Release;
use crate::source::deb822::Paragraphs;
use crate::source::dpkg::{self, Packages};
use crate::source::modules::{self, Module};
use crate::source::rpm::{self, tag};
use crate::source::{npm, python};

/// Directories that are not searched: the kernel's file systems, and the storage of containers, whose roots are hosts
/// of their own.
const SKIPPED: [&str; 8] = [
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers/storage",
    "/var/lib/rancher",
];
/// Deepest directory that is searched.
const DEEPEST: usize = 64;
/// Where apk keeps its database.
const APK: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
/// Files with these extensions are not programs.
const NO_PROGRAMS: [&str; 24] = [
    "c", "conf", "css", "gz", "h", "html", "js", "json", "md", "mo", "o", "pl", "pm", "png", "po", "py", "pyc", "rb",
    "rs", "sh", "svg", "ts", "txt", "xml",
];

/// All packages of a host, as a bill of materials: of the distribution (dpkg, RPM, apk), of Python and Node.js, Java
/// artifacts in jars, and what Go and Rust programs say that they were built from.
///
/// Packages of the distribution come first, from its database. Then all directories are searched, except for the
/// kernel's and for the storage of containers; links are not followed. A constraint on `type` reads only what it needs.
/// A Rust program names its crates if `cargo auditable` built it, a Go program if Go 1.18 or newer did.
#[derive(Debug, Clone, Default, Table)]
#[table(
    name = "sbom_packages",
    platforms("linux"),
    rows = 5000,
    identity(r#type, name, version, arch, path),
    namespaces
)]
#[example("All packages, with their package URLs.", "SELECT purl, path FROM sbom_packages")]
#[example(
    "Where a library is, in any language.",
    "SELECT type, name, version, path FROM sbom_packages WHERE name LIKE '%log4j%'"
)]
#[example("What Go programs were built from.", "SELECT path, name, version FROM sbom_packages WHERE type = 'golang'")]
pub struct SbomPackage {
    /// Kind of package, as in package URLs: `deb`, `rpm`, `apk`, `pypi`, `npm`, `maven`, `golang` or `cargo`.
    #[column(index)]
    r#type: String,
    /// Name. A Java artifact has its group before it: `org.example:name`.
    name: String,
    /// Version, as the package states it. RPM's includes the release, and the epoch if there is one.
    version: String,
    /// Architecture of a package of the distribution; empty for others.
    arch: String,
    /// License, if the package's database or metadata states one.
    license: Option<String>,
    /// Source package of a package of the distribution, if it has another name.
    source: Option<String>,
    /// Package URL: `pkg:deb/debian/nginx@1.22.1-9?arch=amd64&distro=debian-12`. The qualifier `upstream` has the source
    /// package if it has another name, and its version if that differs.
    purl: String,
    /// File that states the package: a database, metadata, or the program or jar that contains it. A jar within another
    /// follows it after `!/`.
    path: String,
}

impl Rows for SbomPackage {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let report = move |origin: &str, error: &Error| scan.report(origin, error);
        let wants = move |kind: &str| scan.admits(Self::TYPE, &kind.to_owned());
        let release = Release::read(sys).unwrap_or_else(|error| {
            report("os-release", &error);
            None
        });
        let release = release.unwrap_or_default();
        let mut databases: Vec<Box<dyn Iterator<Item = Self> + '_>> = Vec::new();
        // A distribution has one of these; the others are missing, which is normal.
        if wants("deb")
            && let Some(packages) = present(Packages::of(sys, dpkg::ADMINDIR, &report), report)
        {
            databases.push(Box::new(of_dpkg(sys, packages, release.clone(), report)));
        }
        if wants("rpm")
            && let Some(headers) = present(rpm::headers(sys), report)
        {
            let release = release.clone();
            databases.push(Box::new(headers.filter_map(move |header| match header {
                Ok(header) => Some(of_rpm(scan.sys(), &header, &release)),
                Err(error) => {
                    report("rpm", &error);
                    None
                }
            })));
        }
        if wants("apk") {
            databases.extend(APK.into_iter().filter_map(|file| {
                let rows = of_apk(sys, file, release.clone(), report)?;
                Some(Box::new(rows) as Box<dyn Iterator<Item = Self>>)
            }));
        }
        if databases.is_empty() && ["deb", "rpm", "apk"].into_iter().all(wants) {
            let what = "no package database of a distribution (dpkg, RPM or apk)".to_owned();
            report("packages", &Error::Absent(what));
        }
        let is_searched = ["pypi", "npm", "maven", "golang", "cargo"].into_iter().any(wants);
        let found = Search {
            sys: sys.clone(),
            open: if is_searched { vec![(PathBuf::from("/"), 0)] } else { Vec::new() },
            ready: Vec::new(),
            wants,
            report,
        };
        Ok(databases.into_iter().flatten().chain(found))
    }
}

/// A database that exists.
fn present<T>(outcome: Result<T>, report: impl Fn(&str, &Error)) -> Option<T> {
    match outcome {
        Ok(found) => Some(found),
        Err(Error::Absent(_)) => None,
        Err(error) => {
            report("packages", &error);
            None
        }
    }
}

fn of_dpkg(
    sys: &Sys,
    mut packages: Packages,
    release: Release,
    report: impl Fn(&str, &Error),
) -> impl Iterator<Item = SbomPackage> {
    let sys = sys.clone();
    std::iter::from_fn(move || {
        loop {
            let row = packages.next(&report, |paragraph, status| {
                let text = |name: &str| paragraph.text(&sys, name);
                let (name, version, arch) = (text("Package"), text("Version"), text("Architecture"));
                let stated = text("Source");
                let source = stated.split(' ').next().filter(|source| !source.is_empty()).map(str::to_owned);
                let upstream = upstream_of_deb(&stated);
                let purl = release.purl("deb", &name, &version, &[("arch", &arch), ("upstream", &upstream)]);
                let path = format!("{}/status", dpkg::ADMINDIR);
                let is_there = status.ends_with(" installed");
                is_there.then(|| SbomPackage {
                    r#type: "deb".to_owned(),
                    name,
                    version,
                    arch,
                    license: None,
                    source,
                    purl,
                    path,
                })
            })?;
            // Of a removed package only configuration files are left.
            if row.is_some() {
                return row;
            }
        }
    })
}

/// The source package as package URLs name it: `Source: name (version)` is `name@version`.
fn upstream_of_deb(stated: &str) -> String {
    match stated.split_once(" (") {
        Some((name, version)) => format!("{name}@{}", version.trim_end_matches(')')),
        None => stated.to_owned(),
    }
}

fn of_rpm(sys: &Sys, header: &rpm::Header, release: &Release) -> SbomPackage {
    let text = |tag| sys.text(header.text(tag).unwrap_or_default());
    let (name, arch) = (text(tag::NAME), text(tag::ARCH));
    let version = format!("{}-{}", text(tag::VERSION), text(tag::RELEASE));
    let epoch = header.number(tag::EPOCH).map(|epoch| epoch.to_string());
    // `name-version-release.src.rpm`
    let source = text(tag::SOURCE);
    let source = source.rsplitn(3, '-').nth(2).filter(|source| *source != name).map(str::to_owned);
    let (stated, upstream) = (epoch.as_deref().unwrap_or_default(), source.as_deref().unwrap_or_default());
    let qualifiers = [("arch", arch.as_str()), ("epoch", stated), ("upstream", upstream)];
    let purl = release.purl("rpm", &name, &version, &qualifiers);
    SbomPackage {
        r#type: "rpm".to_owned(),
        version: epoch.map_or(version.clone(), |epoch| format!("{epoch}:{version}")),
        name,
        arch,
        license: Some(text(tag::LICENSE)).filter(|license| !license.is_empty()),
        source,
        purl,
        path: "RPM database".to_owned(),
    }
}

fn of_apk(
    sys: &Sys,
    file: &'static str,
    release: Release,
    report: impl Fn(&str, &Error),
) -> Option<impl Iterator<Item = SbomPackage>> {
    let bytes = match sys.read(file).if_present() {
        Ok(bytes) => bytes?,
        Err(error) => {
            report("apk", &error);
            return None;
        }
    };
    let (sys, mut paragraphs) = (sys.clone(), Paragraphs::new(file, bytes));
    Some(std::iter::from_fn(move || {
        let paragraph = paragraphs.next(|error| report("apk", error))?;
        // Names are letters, and case matters. apk writes these before the files, which repeat other letters.
        let text = |name: &[u8]| sys.text(paragraph.exactly(name).unwrap_or_default());
        let (name, version, arch) = (text(b"P"), text(b"V"), text(b"A"));
        let other = |text: String| Some(text).filter(|text| !text.is_empty() && *text != name);
        let (license, source) = (other(text(b"L")), other(text(b"o")));
        let upstream = source.as_deref().unwrap_or_default();
        let purl = release.purl("apk", &name, &version, &[("arch", &arch), ("upstream", upstream)]);
        Some(SbomPackage {
            r#type: "apk".to_owned(),
            version,
            arch,
            license,
            source,
            purl,
            path: file.to_owned(),
            name,
        })
    }))
}

/// A search of all directories, depth first.
struct Search<W, R> {
    sys: Sys,
    open: Vec<(PathBuf, usize)>,
    /// Packages of the directory that was read last, in reverse.
    ready: Vec<SbomPackage>,
    wants: W,
    report: R,
}

impl<W: Fn(&str) -> bool, R: Fn(&str, &Error) + Copy> Iterator for Search<W, R> {
    type Item = SbomPackage;

    fn next(&mut self) -> Option<SbomPackage> {
        loop {
            if let Some(row) = self.ready.pop() {
                return Some(row);
            }
            self.sys.check_cancelled().ok()?;
            let (folder, depth) = self.open.pop()?;
            self.read(&folder, depth);
            self.ready.reverse();
        }
    }
}

impl<W: Fn(&str) -> bool, R: Fn(&str, &Error) + Copy> Search<W, R> {
    fn read(&mut self, folder: &Path, depth: usize) {
        let entries = match self.sys.entries(folder) {
            Ok(entries) => entries,
            Err(error) => return (self.report)("directory", &error),
        };
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if matches!(&*name, "site-packages" | "dist-packages") && (self.wants)("pypi") {
            let packages = python::packages(&self.sys, folder.to_owned(), self.report);
            self.ready.extend(packages.map(of_python));
        }
        let is_modules = name == "node_modules"
            || name.starts_with('@') && folder.parent().is_some_and(|parent| parent.ends_with("node_modules"));
        for (name, kind) in entries {
            let path = folder.join(&name);
            if kind.is_dir() {
                if is_modules && (self.wants)("npm") {
                    match npm::package(&self.sys, &path.join("package.json")) {
                        Ok(package) => self.ready.extend(package.map(of_npm)),
                        Err(error) => (self.report)("npm", &error),
                    }
                }
                let is_skipped = depth == 0 || folder.starts_with("/var");
                if depth < DEEPEST && !(is_skipped && SKIPPED.iter().any(|skipped| path == Path::new(skipped))) {
                    self.open.push((path, depth + 1));
                }
            } else if kind.is_file() {
                self.file(&path, &name);
            }
        }
    }

    fn file(&mut self, path: &Path, name: &OsString) {
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let found = match extension {
            _ if modules::is_jar(&name.to_string_lossy()) => match (self.wants)("maven") {
                true => modules::of_jar(&self.sys, path, &self.report),
                false => return,
            },
            other if NO_PROGRAMS.contains(&other) || !(self.wants)("golang") && !(self.wants)("cargo") => return,
            _ => match self.sys.symlink_metadata(path) {
                Ok(metadata) if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 => {
                    modules::of_program(&self.sys, path)
                }
                Ok(_) => return,
                Err(error) => Err(error),
            },
        };
        match found {
            Ok(found) => {
                let path = self.sys.path_text(path);
                let mut seen = HashSet::new();
                let rows =
                    found.into_iter().filter(|module| (self.wants)(module.kind)).map(|module| of_module(module, &path));
                self.ready
                    .extend(rows.filter(|row| seen.insert((row.name.clone(), row.version.clone(), row.path.clone()))));
            }
            Err(error) => (self.report)("files", &error),
        }
    }
}

fn of_python(package: python::Package) -> SbomPackage {
    // The index ignores case, and takes `_` and `.` for `-`.
    let name = package.name.to_ascii_lowercase().replace(['_', '.'], "-");
    SbomPackage {
        r#type: "pypi".to_owned(),
        purl: purl("pypi", "", &name, &package.version, &[]),
        name: package.name,
        version: package.version,
        license: Some(package.license).filter(|license| !license.is_empty()),
        path: package.path,
        ..SbomPackage::default()
    }
}

fn of_npm(package: npm::Package) -> SbomPackage {
    let (scope, name) = package.name.split_once('/').unwrap_or(("", &package.name));
    SbomPackage {
        r#type: "npm".to_owned(),
        purl: purl("npm", scope, name, &package.version, &[]),
        name: package.name.clone(),
        version: package.version,
        license: Some(package.license).filter(|license| !license.is_empty()),
        path: package.path,
        ..SbomPackage::default()
    }
}

fn of_module(module: Module, path: &str) -> SbomPackage {
    let purl = match module.kind {
        "golang" => {
            let path = module.name.to_ascii_lowercase();
            let (group, name) = path.rsplit_once('/').unwrap_or(("", &path));
            // Go's word for a program that was not built from a released version.
            let version = if module.version == "(devel)" { "" } else { &module.version };
            purl("golang", group, name, version, &[])
        }
        kind => purl(kind, &module.group, &module.name, &module.version, &[]),
    };
    let name = if module.group.is_empty() { module.name } else { format!("{}:{}", module.group, module.name) };
    SbomPackage {
        r#type: module.kind.to_owned(),
        purl,
        name,
        version: module.version,
        path: format!("{path}{}", module.within),
        ..SbomPackage::default()
    }
}

impl Release {
    /// The package URL of a package of this distribution.
    fn purl(&self, kind: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> String {
        let distribution = match (self.id.as_str(), self.version.as_str()) {
            (id, "") => id.to_owned(),
            (id, version) => format!("{id}-{version}"),
        };
        let qualifiers = [qualifiers, &[("distro", distribution.as_str())]].concat();
        purl(kind, &self.id, name, version, &qualifiers)
    }
}

/// A package URL. Qualifiers are sorted by their names; empty ones are left out.
fn purl(kind: &str, namespace: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> String {
    let mut qualifiers = qualifiers.to_vec();
    qualifiers.sort_unstable();
    let mut url = format!("pkg:{kind}/");
    for part in namespace.split('/').filter(|part| !part.is_empty()) {
        url.push_str(&encoded(part));
        url.push('/');
    }
    url.push_str(&encoded(name));
    if !version.is_empty() {
        url.push('@');
        url.push_str(&encoded(version));
    }
    let qualifiers = qualifiers.into_iter().filter(|(_, value)| !value.is_empty());
    for (position, (key, value)) in qualifiers.enumerate() {
        let separator = if position == 0 { '?' } else { '&' };
        url.push_str(&format!("{separator}{key}={}", encoded(value)));
    }
    url
}

/// Percent-encoding of package URLs.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'-' | b'_' | b'~' | b':' => encoded.push(byte.into()),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_encoded() {
        let debian = Release { id: "debian".to_owned(), version: "12".to_owned() };
        assert_eq!(
            debian.purl("deb", "libstdc++6", "1:12.2.0-14+x", &[("arch", "amd64")]),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bx?arch=amd64&distro=debian-12"
        );
        assert_eq!(purl("npm", "@npmcli", "fs", "3.1.0", &[]), "pkg:npm/%40npmcli/fs@3.1.0");
        assert_eq!(purl("golang", "golang.org/x", "net", "v0.1.0", &[]), "pkg:golang/golang.org/x/net@v0.1.0");
        assert_eq!(Release::default().purl("apk", "a", "", &[("arch", "")]), "pkg:apk/a");
        let module = |version: &str| {
            of_module(
                Module {
                    kind: "golang",
                    group: String::new(),
                    name: "github.com/A/b".to_owned(),
                    within: String::new(),
                    version: version.to_owned(),
                },
                "/x",
            )
        };
        assert_eq!(
            (module("v1.0.0").purl, module("(devel)").purl),
            ("pkg:golang/github.com/a/b@v1.0.0".to_owned(), "pkg:golang/github.com/a/b".to_owned())
        );
    }
}
