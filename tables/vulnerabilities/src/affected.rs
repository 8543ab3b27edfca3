//! Whether a record affects a version of a package, and which versions fix it.

use std::cmp::Ordering;

use indago_versions::{Rule, Version};

use crate::ecosystem;
use crate::ecosystem::Package;
use crate::purl::Purl;
use crate::record::{Affected, Event, Range, Record};

/// How a record affects a package.
#[derive(Debug, PartialEq)]
pub(crate) struct Match<'a> {
    /// The entry of the record.
    pub(crate) affected: &'a Affected,
    /// `range` or `version`.
    pub(crate) by: &'static str,
    /// Versions that fix it, in ascending order: the next one of each range that contains the package's version.
    pub(crate) fixed: Vec<String>,
}

impl PartialEq for Affected {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// Whether a record lists a package. If its ecosystem is missing, its package URL names it.
fn lists(affected: &Affected, package: &Package) -> bool {
    let listed = &affected.package;
    if !listed.ecosystem.is_empty() {
        let (base, _) = ecosystem::split(&listed.ecosystem);
        return package.is_of(&listed.ecosystem) && ecosystem::name(base, &listed.name) == package.name;
    }
    let purl = listed.purl.as_deref().and_then(Purl::parse);
    let named = purl.and_then(|purl| ecosystem::packages(&purl).ok()).unwrap_or_default();
    named.iter().any(|other| other.ecosystem == package.ecosystem && other.name == package.name)
}

/// How a record affects a package; `None` if it does not. Events that are not versions of the ecosystem are reported, and
/// their range is skipped. A package without a version is not affected.
pub(crate) fn find<'a>(record: &'a Record, package: &Package, report: &mut dyn FnMut(String)) -> Option<Match<'a>> {
    let listed: Vec<&Affected> = record.affected.iter().filter(|affected| lists(affected, package)).collect();
    if listed.is_empty() || package.version.is_empty() {
        return None;
    }
    let version = package.rule.parse(&package.version);
    let mut ranges = Vec::new();
    for affected in &listed {
        for range in affected.ranges.iter().filter(|range| range.kind != "GIT") {
            match Compiled::new(range, package.rule) {
                Ok(range) => ranges.push((*affected, range)),
                Err(event) => report(format!("{}: {event} is not a version of {}", record.id, package.ecosystem)),
            }
        }
    }
    let is_listed = |text: &str, parsed: Option<&Version>| {
        listed.iter().copied().find(|affected| {
            affected.versions.iter().any(|other| {
                let is_equal = || Some(package.rule.parse(other)?.compare(parsed?) == Ordering::Equal);
                other == text || is_equal() == Some(true)
            })
        })
    };
    let contains = |version: &Version| ranges.iter().filter(|(_, range)| range.contains(version)).collect::<Vec<_>>();
    let containing = version.as_ref().map(contains).unwrap_or_default();
    let (affected, by) = match containing.first() {
        Some((affected, _)) => (*affected, "range"),
        None => (is_listed(&package.version, version.as_ref())?, "version"),
    };
    let mut fixed: Vec<(&Version, &str)> = Vec::new();
    if let Some(version) = &version {
        // A package that only the list of versions names is fixed by the next fix of any range.
        let of: Vec<&Compiled<'_>> = match containing.is_empty() {
            true => ranges.iter().map(|(_, range)| range).collect(),
            false => containing.iter().map(|(_, range)| range).collect(),
        };
        for range in of {
            let Some((next, text)) = range.next_fix(version) else { continue };
            let is_affected = !contains(next).is_empty() || is_listed(text, Some(next)).is_some();
            if !is_affected && !fixed.iter().any(|(other, _)| other.compare(next) == Ordering::Equal) {
                fixed.push((next, text));
            }
        }
    }
    fixed.sort_by(|(one, _), (other, _)| one.compare(other));
    Some(Match { affected, by, fixed: fixed.into_iter().map(|(_, text)| text.to_owned()).collect() })
}

/// A range with parsed versions.
struct Compiled<'a> {
    /// In ascending order. `None` is before all versions.
    events: Vec<(Option<Version>, Change, &'a str)>,
    /// The versions below which the range lies; empty for no limit.
    limits: Vec<Version>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Introduced,
    Fixed,
    LastAffected,
}

impl<'a> Compiled<'a> {
    /// An error is the event that is not a version.
    fn new(range: &'a Range, rule: Rule) -> Result<Self, String> {
        let (mut events, mut limits, mut has_no_limit) = (Vec::new(), Vec::new(), false);
        let parse = |name: &str, text: &str| rule.parse(text).ok_or_else(|| format!("the event `{name}: {text}`"));
        for Event { introduced, fixed, last_affected, limit } in &range.events {
            if let Some(text) = introduced {
                let version = if text == "0" { None } else { Some(parse("introduced", text)?) };
                events.push((version, Change::Introduced, text.as_str()));
            }
            if let Some(text) = fixed {
                events.push((Some(parse("fixed", text)?), Change::Fixed, text.as_str()));
            }
            if let Some(text) = last_affected {
                events.push((Some(parse("last_affected", text)?), Change::LastAffected, text.as_str()));
            }
            match limit.as_deref() {
                Some("*") => has_no_limit = true,
                Some(text) => limits.push(parse("limit", text)?),
                None => {}
            }
        }
        if has_no_limit {
            limits.clear();
        }
        // Events of one version keep their order, but the last affected version comes after its introduction.
        events.sort_by(|(one, change, _), (other, other_change, _)| {
            let order = match (one, other) {
                (Some(one), Some(other)) => one.compare(other),
                (one, other) => one.is_some().cmp(&other.is_some()),
            };
            order.then((*change == Change::LastAffected).cmp(&(*other_change == Change::LastAffected)))
        });
        Ok(Compiled { events, limits })
    }

    fn contains(&self, version: &Version) -> bool {
        let is_below = |limit: &Version| version.compare(limit) == Ordering::Less;
        if !self.limits.is_empty() && !self.limits.iter().any(is_below) {
            return false;
        }
        let mut is_affected = false;
        for (at, change, _) in &self.events {
            let order = at.as_ref().map_or(Ordering::Greater, |at| version.compare(at));
            match change {
                Change::Introduced if order.is_ge() => is_affected = true,
                Change::Fixed if order.is_ge() => is_affected = false,
                Change::LastAffected if order.is_gt() => is_affected = false,
                _ => {}
            }
        }
        is_affected
    }

    /// The lowest version above one that fixes it.
    fn next_fix(&self, version: &Version) -> Option<(&Version, &'a str)> {
        self.events.iter().find_map(|(at, change, text)| {
            let at = at.as_ref()?;
            (*change == Change::Fixed && at.compare(version) == Ordering::Greater).then_some((at, *text))
        })
    }
}

/// Why no package can be matched with an entry; `None` if packages can.
pub(crate) fn unmatched(affected: &Affected) -> Option<&'static str> {
    let (base, _) = ecosystem::split(&affected.package.ecosystem);
    let has_range = affected.ranges.iter().any(|range| range.kind != "GIT");
    if affected.package.ecosystem.is_empty() && affected.package.purl.is_none() {
        Some("it names no package")
    } else if !affected.package.ecosystem.is_empty() && ecosystem::rule(base).is_none() {
        Some("the order of versions of this ecosystem is not known")
    } else if !has_range && affected.versions.is_empty() && !affected.ranges.is_empty() {
        Some("it has only ranges of git commits")
    } else if !has_range && affected.versions.is_empty() {
        Some("it lists no versions")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::parse;

    /// How a record with one affected package, of the given JSON, affects a package: the match and the fixed versions.
    fn found(purl: &str, affected: &str) -> Option<(&'static str, String)> {
        let record: Record =
            parse("a", format!(r#"{{"id": "A", "affected": [{affected}]}}"#).as_bytes()).expect("a record");
        let packages = ecosystem::packages(&Purl::parse(purl).expect("a package URL")).expect("an ecosystem");
        let found = find(&record, &packages[0], &mut |_| ());
        found.map(|found| (found.by, found.fixed.join(" ")))
    }

    fn npm(ranges: &str, versions: &str) -> String {
        format!(r#"{{"package": {{"ecosystem": "npm", "name": "a"}}, "ranges": {ranges}, "versions": {versions}}}"#)
    }

    fn semver(events: &str) -> String {
        npm(&format!(r#"[{{"type": "SEMVER", "events": {events}}}]"#), "[]")
    }

    #[test]
    fn events_make_ranges() {
        let range = |fixed: &str| Some(("range", fixed.to_owned()));
        let until = r#"[{"introduced": "0"}, {"fixed": "1.5.0"}]"#;
        let unsorted = r#"[{"fixed": "2.5.0"}, {"introduced": "2.0.0"}, {"fixed": "1.5.0"}, {"introduced": "1.0.0"}]"#;
        let last = r#"[{"introduced": "1.0.0"}, {"last_affected": "1.5.0"}]"#;
        let only = r#"[{"last_affected": "1.0.0"}, {"introduced": "1.0.0"}]"#;
        let limited = r#"[{"introduced": "0"}, {"limit": "1.2.0"}]"#;
        let unlimited = r#"[{"introduced": "0"}, {"limit": "1.2.0"}, {"limit": "*"}]"#;
        let again = r#"[{"introduced": "0"}, {"fixed": "1.0.0"}, {"introduced": "1.0.0"}, {"fixed": "2.0.0"}]"#;
        for (events, version, expected) in [
            (until, "1.4.9", range("1.5.0")),
            (until, "1.5.0-rc.1", range("1.5.0")),
            (until, "0.0.0-0", range("1.5.0")),
            (until, "1.5.0", None),
            (until, "1.10.0", None),
            (unsorted, "0.9.0", None),
            (unsorted, "1.0.0", range("1.5.0")),
            (unsorted, "1.7.0", None),
            (unsorted, "2.0.0", range("2.5.0")),
            (unsorted, "2.5.0", None),
            (last, "1.5.0", range("")),
            (last, "1.5.1", None),
            (only, "1.0.0", range("")),
            (only, "1.0.1", None),
            (limited, "1.1.9", range("")),
            (limited, "1.2.0", None),
            (unlimited, "3.0.0", range("")),
            (again, "1.0.0", range("2.0.0")),
            (again, "0.1.0", range("")),
            ("[]", "1.0.0", None),
            (r#"[{"fixed": "1.0.0"}]"#, "0.1.0", None),
        ] {
            assert_eq!(found(&format!("pkg:npm/a@{version}"), &semver(events)), expected, "{version} in {events}");
        }
        assert_eq!(found("pkg:npm/a", &semver(until)), None, "no version");
        assert_eq!(found("pkg:npm/b@1.0.0", &semver(until)), None, "another package");
        assert_eq!(found("pkg:npm/a@latest", &semver(until)), None, "no version of the ecosystem");
    }

    #[test]
    fn lists_of_versions_add_to_ranges() {
        let range = r#"[{"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"fixed": "1.1.0"}]}]"#;
        let both = npm(range, r#"["0.5.0", "odd"]"#);
        let git = npm(r#"[{"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}]"#, r#"["2.0.0"]"#);
        for (affected, version, expected) in [
            (&both, "0.5.0", Some(("version", "1.1.0"))),
            (&both, "1.0.5", Some(("range", "1.1.0"))),
            (&both, "odd", Some(("version", ""))),
            (&both, "0.6.0", None),
            // Commits have no order without their repository.
            (&git, "1.0.0", None),
            (&git, "2.0.0", Some(("version", ""))),
        ] {
            let expected = expected.map(|(by, fixed): (&str, &str)| (by, fixed.to_owned()));
            assert_eq!(found(&format!("pkg:npm/a@{version}"), affected), expected, "{version}");
        }
    }

    #[test]
    fn several_ranges_and_entries_are_alternatives() {
        let one = semver(r#"[{"introduced": "1.0.0"}, {"fixed": "1.9.0"}]"#);
        let other = semver(r#"[{"introduced": "1.5.0"}, {"fixed": "2.0.0"}]"#);
        // The fix of one entry is affected by the other one.
        assert_eq!(found("pkg:npm/a@1.6.0", &format!("{one}, {other}")), Some(("range", "2.0.0".to_owned())));
        assert_eq!(found("pkg:npm/a@1.0.0", &format!("{one}, {other}")), Some(("range", String::new())));
        assert_eq!(found("pkg:npm/a@1.9.5", &format!("{one}, {other}")), Some(("range", "2.0.0".to_owned())));
        assert_eq!(found("pkg:npm/a@2.0.0", &format!("{one}, {other}")), None);
    }

    #[test]
    fn each_ecosystem_has_its_own_order() {
        for (ecosystem, name, affected_purl, other_purl, introduced, fixed) in [
            (
                "Debian:12",
                "openssl",
                "pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12&upstream=openssl",
                "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?distro=debian-12&upstream=openssl",
                "0",
                "3.0.11-1~deb12u1",
            ),
            (
                "Debian:12",
                "gcc-12",
                "pkg:deb/debian/gcc-12-base@99?distro=debian-12&upstream=gcc-12%4012.2.0-13",
                "pkg:deb/debian/gcc-12-base@1?distro=debian-12&upstream=gcc-12%4012.2.0-14",
                "0",
                "12.2.0-14",
            ),
            (
                "Ubuntu:22.04:LTS",
                "bash",
                "pkg:deb/ubuntu/bash@5.1-6ubuntu1?distro=ubuntu-22.04",
                "pkg:deb/ubuntu/bash@5.1-6ubuntu1.1?distro=ubuntu-22.04",
                "0",
                "5.1-6ubuntu1.1",
            ),
            (
                "Alpine:v3.19",
                "openssl",
                "pkg:apk/alpine/libssl3@3.1.4-r5?distro=alpine-3.19.1&upstream=openssl",
                "pkg:apk/alpine/libssl3@3.1.4-r10?distro=alpine-3.19.1&upstream=openssl",
                "0",
                "3.1.4-r6",
            ),
            (
                "AlmaLinux:9",
                "bind-libs",
                "pkg:rpm/almalinux/bind-libs@9.16.23-11.el9?epoch=32&distro=almalinux-9.3",
                "pkg:rpm/almalinux/bind-libs@9.16.23-14.el9_3?epoch=32&distro=almalinux-9.3",
                "0",
                "32:9.16.23-14.el9_3",
            ),
            ("PyPI", "Flask_X", "pkg:pypi/flask.x@2.0rc1", "pkg:pypi/flask-x@2.0.post1", "0", "2.0"),
            ("Go", "stdlib", "pkg:golang/stdlib@1.9.7", "pkg:golang/stdlib@1.21.0", "1.8.0", "1.20.5"),
            (
                "Go",
                "github.com/A/b",
                "pkg:golang/github.com/a/b@v1.2.3-0.20200101000000-abcdefabcdef",
                "pkg:golang/github.com/a/b@v1.2.3",
                "0",
                "1.2.3",
            ),
            ("crates.io", "a", "pkg:cargo/a@1.9.0", "pkg:cargo/a@1.10.0", "1.0.0-0", "1.10.0"),
            ("Maven", "g:a", "pkg:maven/g/a@2.0-rc1", "pkg:maven/g/a@2.0.0", "0", "2"),
            ("RubyGems", "a", "pkg:gem/a@1.0.rc1", "pkg:gem/a@1.0.0", "0", "1.0"),
            ("NuGet", "A.B", "pkg:nuget/a.b@1.0.0-RC1", "pkg:nuget/A.B@1.0", "0", "1.0.0.0"),
            ("Packagist", "v/n", "pkg:composer/v/n@v1.9.0-RC1", "pkg:composer/v/n@1.9", "0", "1.9.0"),
            ("Hex", "a", "pkg:hex/a@1.9.0", "pkg:hex/a@1.10.0", "0", "1.10.0"),
            ("Pub", "a", "pkg:pub/a@1.0.0", "pkg:pub/a@1.0.0%2B1", "0", "1.0.0+1"),
        ] {
            let affected = format!(
                r#"{{"package": {{"ecosystem": "{ecosystem}", "name": "{name}"}},
                    "ecosystem_specific": {{"x": 1}},
                    "ranges": [{{"type": "ECOSYSTEM", "events": [{{"fixed": "{fixed}"}}, {{"introduced": "{introduced}"}}]}}]}}"#
            );
            assert_eq!(found(affected_purl, &affected), Some(("range", fixed.to_owned())), "{affected_purl}");
            assert_eq!(found(other_purl, &affected), None, "{other_purl}");
        }
    }

    #[test]
    fn events_that_are_no_versions_are_reported() {
        let text = format!(r#"{{"id": "A-1", "affected": [{}]}}"#, semver(r#"[{"introduced": "one"}]"#));
        let record: Record = parse("a", text.as_bytes()).expect("a record");
        let purl = Purl::parse("pkg:npm/a@1.0.0").expect("a package URL");
        let mut said = Vec::new();
        assert_eq!(find(&record, &ecosystem::packages(&purl).expect("npm")[0], &mut |what| said.push(what)), None);
        assert_eq!(said, ["A-1: the event `introduced: one` is not a version of npm"]);
    }

    #[test]
    fn a_package_may_be_named_by_its_url_alone() {
        let affected = r#"{"package": {"purl": "pkg:npm/%40s/a"}, "versions": ["1.0.0"]}"#;
        assert_eq!(found("pkg:npm/@s/a@1.0.0", affected), Some(("version", String::new())));
        assert_eq!(found("pkg:npm/a@1.0.0", affected), None);
    }

    #[test]
    fn entries_without_a_match_have_a_reason() {
        for (affected, reason) in [
            ("{}", Some("it names no package")),
            (
                r#"{"package": {"ecosystem": "Linux", "name": "Kernel"}}"#,
                Some("the order of versions of this ecosystem is not known"),
            ),
            (r#"{"package": {"ecosystem": "npm", "name": "a"}}"#, Some("it lists no versions")),
            (
                r#"{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "GIT"}]}"#,
                Some("it has only ranges of git commits"),
            ),
            (r#"{"package": {"ecosystem": "npm", "name": "a"}, "versions": ["1"]}"#, None),
        ] {
            assert_eq!(unmatched(&parse("a", affected.as_bytes()).expect("an entry")), reason, "{affected}");
        }
    }
}
