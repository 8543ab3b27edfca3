//! OSV's ecosystems: their rule of versions and names, and which of them a package belongs to.

use indago_versions::Rule;

use crate::purl::Purl;

/// The package of an ecosystem that a package URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// The ecosystem without its suffix: `Debian`.
    pub(crate) ecosystem: &'static str,
    /// The names under which records may list it, in the form of [`name`]. Records of a distribution list either source
    /// packages or binary packages.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rule: Rule,
    /// The suffixes of the ecosystem that the package belongs to.
    releases: Releases,
}

/// Suffixes of an ecosystem.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Releases {
    /// The ecosystem has none.
    None,
    /// One of these.
    Exactly(Vec<String>),
    /// One that begins with the first text and ends with the second one.
    Like(&'static str, String),
    /// This one, and those that add a part to it after `:`.
    Below(String),
    /// It is not known, so only records of all releases match.
    Unknown,
}

/// Ecosystems with the rule of their versions.
const RULES: [(&str, Rule); 32] = [
    ("AlmaLinux", Rule::Rpm),
    ("Alpaquita", Rule::Apk),
    ("Alpine", Rule::Apk),
    ("Azure Linux", Rule::Rpm),
    ("BellSoft Hardened Containers", Rule::Apk),
    ("Chainguard", Rule::Apk),
    ("Debian", Rule::Dpkg),
    ("Echo", Rule::Dpkg),
    ("GitHub Actions", Rule::Semver),
    ("Go", Rule::Semver),
    ("Hex", Rule::Semver),
    ("Julia", Rule::Semver),
    ("Mageia", Rule::Rpm),
    ("Maven", Rule::Maven),
    ("MinimOS", Rule::Apk),
    ("NuGet", Rule::NuGet),
    ("Packagist", Rule::Packagist),
    ("Photon OS", Rule::Rpm),
    ("Pub", Rule::Pub),
    ("PyPI", Rule::Pep440),
    ("Red Hat", Rule::Rpm),
    ("Rocky Linux", Rule::Rpm),
    ("RubyGems", Rule::Gem),
    ("SUSE", Rule::Rpm),
    ("SwiftURL", Rule::Semver),
    ("Ubuntu", Rule::Dpkg),
    ("VSCode", Rule::Semver),
    ("Wolfi", Rule::Apk),
    ("crates.io", Rule::Semver),
    ("npm", Rule::Semver),
    ("openEuler", Rule::Rpm),
    ("openSUSE", Rule::Rpm),
];

/// Code names of releases, and their numbers.
const CODE_NAMES: [(&str, &str); 12] = [
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("trusty", "14.04"),
    ("xenial", "16.04"),
    ("bionic", "18.04"),
    ("focal", "20.04"),
    ("jammy", "22.04"),
    ("noble", "24.04"),
];

/// An ecosystem without its suffix, and the suffix: `Debian` and `12`.
pub(crate) fn split(ecosystem: &str) -> (&str, Option<&str>) {
    ecosystem.split_once(':').map_or((ecosystem, None), |(base, suffix)| (base, Some(suffix)))
}

/// The rule of an ecosystem; `None` if this program has none for it.
pub(crate) fn rule(base: &str) -> Option<Rule> {
    RULES.iter().find(|(known, _)| *known == base).map(|(_, rule)| *rule)
}

/// A name as it is compared in an ecosystem.
pub(crate) fn name(base: &str, name: &str) -> String {
    match base {
        "PyPI" => {
            let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
        }
        "Go" | "NuGet" | "Packagist" | "GitHub Actions" | "Hex" | "VSCode" => name.to_ascii_lowercase(),
        "SwiftURL" => {
            let name = name.to_ascii_lowercase();
            let name = name.strip_prefix("https://").unwrap_or(&name);
            name.strip_suffix(".git").unwrap_or(name).to_owned()
        }
        _ => name.to_owned(),
    }
}

/// The packages of ecosystems that a package URL names: one, or two where records may list either a binary package or its
/// source package. An error names what has no ecosystem here.
pub(crate) fn packages(purl: &Purl) -> Result<Vec<Package>, String> {
    let language = |ecosystem: &'static str, separator: &str| {
        let version = match ecosystem {
            // A program may state Go's version with the text `go` before it.
            "Go" => purl.version.strip_prefix("go").unwrap_or(&purl.version),
            _ => &purl.version,
        };
        let releases = match purl.qualifier("repository_url") {
            "" => Releases::None,
            // Another repository than the ecosystem's own.
            other => Releases::Exactly(vec![other.to_owned()]),
        };
        Ok(package(ecosystem, &purl.joined(separator), version, releases).into_iter().collect())
    };
    match purl.kind.as_str() {
        "cargo" => language("crates.io", "/"),
        "composer" => language("Packagist", "/"),
        "gem" => language("RubyGems", "/"),
        "githubactions" => language("GitHub Actions", "/"),
        "golang" => language("Go", "/"),
        "hex" => language("Hex", "/"),
        "julia" => language("Julia", "/"),
        "maven" => language("Maven", ":"),
        "npm" => language("npm", "/"),
        "nuget" => language("NuGet", "/"),
        "pub" => language("Pub", "/"),
        "pypi" => language("PyPI", "/"),
        "swift" => language("SwiftURL", "/"),
        "vscode-extension" => language("VSCode", "/"),
        "deb" | "rpm" | "apk" => of_distribution(purl).ok_or_else(|| {
            let namespace = if purl.namespace.is_empty() { "?" } else { &purl.namespace };
            format!("packages of pkg:{}/{namespace}", purl.kind)
        }),
        other => Err(format!("packages of pkg:{other}")),
    }
}

fn package(ecosystem: &'static str, named: &str, version: &str, releases: Releases) -> Option<Package> {
    let rule = rule(ecosystem)?;
    Some(Package { ecosystem, name: name(ecosystem, named), version: version.to_owned(), rule, releases })
}

/// The release that a package URL states: `debian-12` is `12`.
fn stated_release(purl: &Purl) -> String {
    let stated = purl.qualifier("distro").to_ascii_lowercase();
    let namespace = purl.namespace.to_ascii_lowercase();
    let release = stated.strip_prefix(&namespace).map_or(stated.as_str(), |rest| rest.trim_start_matches('-'));
    // Where the namespace has another name than the distribution: `pkg:rpm/redhat` with `rhel-9.2`.
    let release = release.strip_prefix("rhel-").or(release.strip_prefix("sles-")).unwrap_or(release);
    let known = CODE_NAMES.iter().find(|(name, _)| *name == release);
    known.map_or(release, |(_, number)| number).to_owned()
}

/// The first parts of a release: `3.19` of `3.19.1`.
fn parts(release: &str, count: usize) -> String {
    release.split('.').take(count).collect::<Vec<_>>().join(".")
}

fn of_distribution(purl: &Purl) -> Option<Vec<Package>> {
    let release = stated_release(purl);
    let major = parts(&release, 1);
    let exactly = |releases: Vec<String>| {
        if release.is_empty() { Releases::Unknown } else { Releases::Exactly(releases) }
    };
    let namespace = purl.namespace.to_ascii_lowercase();
    // Whether records list source packages, binary packages, or one or the other.
    let (ecosystem, releases, (of_source, of_binary)) = match (purl.kind.as_str(), namespace.as_str()) {
        ("deb", "debian") => ("Debian", exactly(vec![major]), (true, false)),
        ("deb", "ubuntu") => {
            let names = ["", "Pro:"].map(|pro| [format!("{pro}{release}"), format!("{pro}{release}:LTS")]);
            ("Ubuntu", exactly(names.concat()), (true, false))
        }
        ("deb", "echo") => ("Echo", Releases::None, (true, false)),
        ("apk", "alpine") => ("Alpine", exactly(vec![format!("v{}", parts(&release, 2))]), (true, false)),
        ("apk", "wolfi") => ("Wolfi", Releases::None, (true, true)),
        ("apk", "chainguard") => ("Chainguard", Releases::None, (true, true)),
        ("apk", "minimos") => ("MinimOS", Releases::None, (true, true)),
        ("apk", "alpaquita") => ("Alpaquita", exactly(vec![release.clone()]), (true, false)),
        ("rpm", "redhat" | "rhel") => {
            let below = Releases::Below(format!("enterprise_linux:{major}"));
            ("Red Hat", if release.is_empty() { Releases::Unknown } else { below }, (false, true))
        }
        ("rpm", "rocky" | "rocky-linux") => ("Rocky Linux", exactly(vec![major]), (true, false)),
        ("rpm", "almalinux") => ("AlmaLinux", exactly(vec![major]), (false, true)),
        ("rpm", "mageia") => ("Mageia", exactly(vec![major]), (true, false)),
        ("rpm", "openeuler") => ("openEuler", exactly(vec![release.clone(), format!("{release}-LTS")]), (true, false)),
        ("rpm", "azurelinux" | "mariner") => ("Azure Linux", exactly(vec![major, release.clone()]), (true, true)),
        ("rpm", "photon") => ("Photon OS", exactly(vec![release.clone()]), (true, true)),
        ("rpm", "opensuse" | "opensuse-leap" | "opensuse-tumbleweed") => {
            let is_tumbleweed = namespace.ends_with("tumbleweed") || release.contains("tumbleweed");
            let leap = release.trim_start_matches("leap-").to_owned();
            let name = if is_tumbleweed { "Tumbleweed".to_owned() } else { format!("Leap {leap}") };
            ("openSUSE", exactly(vec![name]), (true, false))
        }
        ("rpm", "sles" | "sled" | "suse") => {
            let pack = release.split_once('.').map_or(String::new(), |(_, pack)| format!(" SP{pack}"));
            let end = format!(" {major}{pack}");
            let like = Releases::Like("Linux Enterprise ", end);
            ("SUSE", if release.is_empty() { Releases::Unknown } else { like }, (true, false))
        }
        _ => return None,
    };
    let mut version = purl.version.clone();
    if purl.kind == "rpm" && !purl.qualifier("epoch").is_empty() && !version.contains(':') {
        version = format!("{}:{version}", purl.qualifier("epoch"));
    }
    // `openssl`, `gcc-12@12.2.0-14` or `openssl-3.0.7-1.el9.src.rpm`.
    let upstream = purl.qualifier("upstream");
    let (source, source_version) = match upstream.strip_suffix(".src.rpm") {
        Some(file) => (file.rsplitn(3, '-').nth(2).unwrap_or(file), None),
        None => upstream.split_once('@').map_or((upstream, None), |(name, version)| (name, Some(version))),
    };
    let (source, source_version) = match source {
        "" => (purl.name.as_str(), version.as_str()),
        source => (source, source_version.unwrap_or(&version)),
    };
    let mut found = Vec::new();
    if of_source {
        found.extend(package(ecosystem, source, source_version, releases.clone()));
    }
    if of_binary && (!of_source || source != purl.name) {
        found.extend(package(ecosystem, &purl.name, &version, releases));
    }
    Some(found)
}

impl Package {
    /// Whether records of an ecosystem are about the release of this package.
    pub(crate) fn is_of(&self, ecosystem: &str) -> bool {
        let (base, suffix) = split(ecosystem);
        if base != self.ecosystem {
            return false;
        }
        let Some(suffix) = suffix else {
            // Without a suffix, a record is about all releases, or about the ecosystem's own repository.
            return !matches!(rule(base), Some(Rule::Maven)) || self.releases == Releases::None;
        };
        match &self.releases {
            Releases::None | Releases::Unknown => false,
            Releases::Exactly(names) => names.iter().any(|name| name == suffix),
            Releases::Like(start, end) => suffix.starts_with(start) && suffix.ends_with(end.as_str()),
            Releases::Below(name) => {
                suffix.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            }
        }
    }

    /// Whether the release must be known for a match, and is not.
    pub(crate) fn needs_release(&self) -> bool {
        self.releases == Releases::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, String, String)> {
        let purl = Purl::parse(text).expect("a package URL");
        let packages = packages(&purl).expect("an ecosystem");
        packages.into_iter().map(|package| (package.ecosystem, package.name, package.version)).collect()
    }

    #[test]
    fn an_ecosystem_has_one_rule() {
        for (name, _) in RULES {
            assert_eq!(RULES.iter().filter(|(other, _)| *other == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn packages_have_the_names_of_their_ecosystem() {
        for (text, ecosystem, name, version) in [
            ("pkg:pypi/Flask__X.y@1.0", "PyPI", "flask-x-y", "1.0"),
            ("pkg:npm/%40a/b@1.0.0", "npm", "@a/b", "1.0.0"),
            ("pkg:maven/org.example/name@1", "Maven", "org.example:name", "1"),
            ("pkg:golang/github.com/A/b@v1.0.0", "Go", "github.com/a/b", "v1.0.0"),
            ("pkg:golang/stdlib@go1.20.3", "Go", "stdlib", "1.20.3"),
            ("pkg:cargo/serde@1.0.0", "crates.io", "serde", "1.0.0"),
            ("pkg:nuget/Newtonsoft.Json@13.0.1", "NuGet", "newtonsoft.json", "13.0.1"),
            ("pkg:composer/Vendor/Name@1.0", "Packagist", "vendor/name", "1.0"),
            ("pkg:gem/rails@7.0.0", "RubyGems", "rails", "7.0.0"),
            ("pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12&upstream=openssl", "Debian", "openssl", "3.0.9-1"),
            ("pkg:deb/debian/gcc-12-base@12.2.0-14+b1?upstream=gcc-12%4012.2.0-14", "Debian", "gcc-12", "12.2.0-14"),
            ("pkg:deb/ubuntu/bash@5.1?distro=jammy", "Ubuntu", "bash", "5.1"),
            ("pkg:apk/alpine/libssl3@3.1.4-r1?distro=alpine-3.19.1&upstream=openssl", "Alpine", "openssl", "3.1.4-r1"),
            (
                "pkg:rpm/almalinux/bind-libs@9.16-1.el9?epoch=32&upstream=bind",
                "AlmaLinux",
                "bind-libs",
                "32:9.16-1.el9",
            ),
            (
                "pkg:rpm/rocky/openssl-libs@3.0.7-1.el9?epoch=1&upstream=openssl-3.0.7-1.el9.src.rpm",
                "Rocky Linux",
                "openssl",
                "1:3.0.7-1.el9",
            ),
        ] {
            assert_eq!(found(text), [(ecosystem, name.to_owned(), version.to_owned())], "{text}");
        }
        let both = found("pkg:apk/wolfi/libcrypto3@3.1-r0?upstream=openssl");
        assert_eq!(both.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>(), ["openssl", "libcrypto3"]);
    }

    #[test]
    fn releases_select_records() {
        for (text, yes, no) in [
            (
                "pkg:deb/debian/a@1?distro=debian-12.4",
                &["Debian", "Debian:12"][..],
                &["Debian:11", "Debian:1", "Ubuntu", "Debian:12:x"][..],
            ),
            ("pkg:deb/debian/a@1?distro=bookworm", &["Debian:12"], &["Debian:11"]),
            ("pkg:deb/debian/a@1", &["Debian"], &["Debian:12", "Debian:"]),
            (
                "pkg:deb/ubuntu/a@1?distro=ubuntu-22.04",
                &["Ubuntu:22.04:LTS", "Ubuntu:22.04", "Ubuntu:Pro:22.04:LTS"],
                &["Ubuntu:20.04:LTS", "Ubuntu:Pro:FIPS:22.04:LTS", "Debian:12"],
            ),
            ("pkg:apk/alpine/a@1?distro=alpine-3.19.1", &["Alpine:v3.19"], &["Alpine:v3.1", "Alpine:v3.18"]),
            (
                "pkg:rpm/redhat/a@1?distro=rhel-9.2",
                &["Red Hat:enterprise_linux:9::appstream", "Red Hat:enterprise_linux:9"],
                &["Red Hat:enterprise_linux:8::appstream", "Red Hat:rhel_eus:9.2::appstream"],
            ),
            (
                "pkg:rpm/rhel/a@1?distro=rhel-9.2",
                &["Red Hat:enterprise_linux:9::baseos"],
                &["Red Hat:enterprise_linux:90"],
            ),
            ("pkg:rpm/rocky/a@1?distro=rocky-9.3", &["Rocky Linux:9"], &["Rocky Linux:8", "AlmaLinux:9"]),
            (
                "pkg:rpm/sles/a@1?distro=sles-15.5",
                &["SUSE:Linux Enterprise Server 15 SP5", "SUSE:Linux Enterprise Module for Basesystem 15 SP5"],
                &["SUSE:Linux Enterprise Server 15 SP4", "SUSE:Linux Enterprise Server 15", "SUSE:Manager 15 SP5"],
            ),
            ("pkg:rpm/opensuse-leap/a@1?distro=opensuse-leap-15.5", &["openSUSE:Leap 15.5"], &["openSUSE:Tumbleweed"]),
            ("pkg:maven/a/b@1", &["Maven"], &["Maven:https://repo.example"]),
            (
                "pkg:maven/a/b@1?repository_url=https://repo.example",
                &["Maven:https://repo.example"],
                &["Maven", "Maven:https://other.example"],
            ),
            ("pkg:npm/a@1", &["npm"], &["NPM", "npm:x", "PyPI"]),
        ] {
            let purl = Purl::parse(text).expect("a package URL");
            let package = packages(&purl).expect("an ecosystem").remove(0);
            yes.iter().for_each(|ecosystem| assert!(package.is_of(ecosystem), "{text} is of {ecosystem}"));
            no.iter().for_each(|ecosystem| assert!(!package.is_of(ecosystem), "{text} is not of {ecosystem}"));
        }
        for text in ["pkg:deb/linuxmint/a@1", "pkg:alpm/arch/a@1", "pkg:deb/a@1", "pkg:generic/a@1"] {
            assert!(packages(&Purl::parse(text).expect("a package URL")).is_err(), "{text}");
        }
    }
}
