//! One type for the versions of all packaging systems.

use std::cmp::Ordering;

use crate::{apk, gem, maven_items, maven_list, nuget, packagist, pep440_key, rpm, semver_key};

/// The rule by which versions are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// dpkg: Debian and Ubuntu.
    Dpkg,
    /// RPM: epoch, version and release.
    Rpm,
    /// apk-tools: Alpine.
    Apk,
    /// Python, PEP 440.
    Pep440,
    /// Semantic Versioning 2.0. Missing numbers are zeros, so `1.2` is `1.2.0`.
    Semver,
    /// Dart's pub: Semantic Versioning, and the build's metadata counts.
    Pub,
    /// Maven.
    Maven,
    /// RubyGems.
    Gem,
    /// NuGet: up to four numbers, and labels without case.
    NuGet,
    /// Composer.
    Packagist,
}

/// A version that a rule accepts.
#[derive(Debug)]
pub struct Version(Parsed);

#[derive(Debug)]
enum Parsed {
    /// A text whose byte order is the order.
    Key(String),
    Apk(apk::Version),
    Gem(Vec<gem::Segment>),
    Maven(Vec<crate::Item>),
    NuGet(nuget::Version),
    Packagist(packagist::Version),
    Pub(String, Vec<String>),
}

/// Longest version that is compared.
const LONGEST: usize = 1024;

impl Rule {
    /// Parses a version; `None` if the rule does not accept the text.
    pub fn parse(self, text: &str) -> Option<Version> {
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let parsed = match self {
            Rule::Dpkg => Parsed::Key(crate::dpkg(text)),
            Rule::Rpm => Parsed::Key(rpm(text)),
            Rule::Apk => Parsed::Apk(apk::parse(text)?),
            Rule::Pep440 => Parsed::Key(pep440_key(&text.to_ascii_lowercase())?),
            Rule::Semver => Parsed::Key(semver(text)?),
            Rule::Pub => {
                let build = text.split_once('+').map_or("", |(_, build)| build);
                let build = build.split('.').filter(|part| !part.is_empty()).map(str::to_owned);
                Parsed::Pub(semver(text)?, build.collect())
            }
            Rule::Maven => Parsed::Maven(maven_items(text)),
            Rule::Gem => Parsed::Gem(gem::parse(text)?),
            Rule::NuGet => Parsed::NuGet(nuget::parse(text)?),
            Rule::Packagist => Parsed::Packagist(packagist::parse(text)?),
        };
        Some(Version(parsed))
    }
}

impl Version {
    /// The order of two versions of the same rule.
    pub fn compare(&self, other: &Version) -> Ordering {
        match (&self.0, &other.0) {
            (Parsed::Key(left), Parsed::Key(right)) => left.cmp(right),
            (Parsed::Apk(left), Parsed::Apk(right)) => apk::compare(left, right),
            (Parsed::Gem(left), Parsed::Gem(right)) => gem::compare(left, right),
            (Parsed::Maven(left), Parsed::Maven(right)) => maven_list(left, right),
            (Parsed::NuGet(left), Parsed::NuGet(right)) => left.cmp(right),
            (Parsed::Packagist(left), Parsed::Packagist(right)) => packagist::compare(left, right),
            (Parsed::Pub(left, left_build), Parsed::Pub(right, right_build)) => {
                left.cmp(right).then_with(|| build_order(left_build, right_build))
            }
            // Versions of different rules have no order.
            _ => Ordering::Equal,
        }
    }
}

/// Semantic Versioning, with zeros for missing numbers.
fn semver(text: &str) -> Option<String> {
    semver_key(text).or_else(|| {
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (core, rest) = text.split_at(end);
        let missing = match core.split('.').count() {
            1 => ".0.0",
            2 => ".0",
            _ => return None,
        };
        semver_key(&format!("{core}{missing}{rest}"))
    })
}

/// The order of the metadata of builds: numbers are lower than words, and a missing part is lower than any.
fn build_order(left: &[String], right: &[String]) -> Ordering {
    for (left, right) in left.iter().zip(right) {
        let order = match (digits(left), digits(right)) {
            (Some(left), Some(right)) => (left.len(), left).cmp(&(right.len(), right)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

/// A number without leading zeros; `None` if the text is not a number.
pub(crate) fn digits(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions in ascending order; those on one line are equal.
    fn ascending(rule: Rule, lines: &[&[&str]]) {
        let parsed = |text: &str| rule.parse(text).unwrap_or_else(|| panic!("{rule:?} accepts {text}"));
        for (position, line) in lines.iter().enumerate() {
            for version in *line {
                assert_eq!(parsed(version).compare(&parsed(line[0])), Ordering::Equal, "{version} = {}", line[0]);
                for higher in lines[position + 1..].iter().flat_map(|line| line.iter()) {
                    assert_eq!(parsed(version).compare(&parsed(higher)), Ordering::Less, "{version} < {higher}");
                    assert_eq!(parsed(higher).compare(&parsed(version)), Ordering::Greater, "{higher} > {version}");
                }
            }
        }
    }

    /// Expected order: apk 3.0.6.
    #[test]
    fn apks_order() {
        ascending(
            Rule::Apk,
            &[
                &["1.0_alpha1"],
                &["1.0_alpha2"],
                &["1.0_beta"],
                &["1.0_pre1"],
                &["1.0_rc1"],
                &["1.0"],
                &["1.0-r0"],
                &["1.0-r1"],
                &["1.0-r10"],
                &["1.0_git20200101"],
                &["1.0_p1"],
                &["1.0_p1-r1"],
                &["1.0a"],
                &["1.00"],
                &["1.01"],
                &["1.010"],
                &["1.1"],
                &["1.1.1a"],
                &["1.1.1b"],
                &["1.9"],
                &["1.10"],
                &["10.0"],
            ],
        );
        for text in ["1.0~abcdef", "0", "20240101-r3", "1.0_p1_git2-r0"] {
            assert!(Rule::Apk.parse(text).is_some(), "{text}");
        }
        for text in ["", "a", "1.", "1..2", "1.0-1", "1.0_what", "1.0 1", "1.0ab", "1.0-r", "1.0-r1.2"] {
            assert!(Rule::Apk.parse(text).is_none(), "{text}");
        }
    }

    /// Expected order: `Gem::Version` of RubyGems.
    #[test]
    fn gems_order() {
        ascending(
            Rule::Gem,
            &[
                &["1.0.a"],
                &["1.0.a.2"],
                &["1.0.b1", "1.0.b.1"],
                &["1.0.pre.1", "1.0-1"],
                &["1.0.rc1"],
                &["1.0", "1", "1.0.0"],
                &["1.0.1"],
                &["1.9"],
                &["1.10"],
                &["2.0.0"],
            ],
        );
        for text in ["a", "1..2", "1.0+1", "1_0"] {
            assert!(Rule::Gem.parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn nugets_order() {
        ascending(
            Rule::NuGet,
            &[
                &["1.0.0-alpha"],
                &["1.0.0-alpha.1", "1.0.0-ALPHA.1+build"],
                &["1.0.0-alpha.10"],
                &["1.0.0-beta"],
                &["1.0.0-rc.1"],
                &["1.0.0", "1", "1.0", "1.0.0.0", "01.0", "v1.0"],
                &["1.0.0.1"],
                &["1.0.1"],
                &["1.10.0"],
            ],
        );
        for text in ["", "a.b", "1.2.3.4.5", "1.-a", "1..2"] {
            assert!(Rule::NuGet.parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn packagists_order() {
        ascending(
            Rule::Packagist,
            &[
                &["1.0.0-dev"],
                &["1.0.0-alpha1", "v1.0a1", "1.0.0-alpha.1"],
                &["1.0.0-beta1", "1.0b1"],
                &["1.0.0-beta2"],
                &["1.0.0-RC1", "1.0.0-rc1"],
                &["1.0.0", "1.0", "v1", "1.0.0.0", "1.0.0-stable", "1.0.0+meta"],
                &["1.0.0-p1", "1.0.0-patch1", "1.0-pl1"],
                &["1.0.1"],
                &["1.10"],
            ],
        );
        for text in ["dev-main", "", "abc"] {
            assert!(Rule::Packagist.parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn semver_and_pub_differ_in_builds() {
        ascending(
            Rule::Semver,
            &[&["1.0.0-rc.1"], &["1.0.0", "v1.0.0", "1.0", "1", "1.0.0+5"], &["1.0.1-0"], &["1.0.1"]],
        );
        ascending(Rule::Pub, &[&["1.0.0-rc.1"], &["1.0.0"], &["1.0.0+1"], &["1.0.0+2"], &["1.0.0+a"], &["1.0.1"]]);
        for text in ["1.2.3.4", "x", "1.x", ""] {
            assert!(Rule::Semver.parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn hostile_texts_are_no_versions_and_cost_nothing() {
        let rules = [
            Rule::Dpkg,
            Rule::Rpm,
            Rule::Apk,
            Rule::Pep440,
            Rule::Semver,
            Rule::Pub,
            Rule::Maven,
            Rule::Gem,
            Rule::NuGet,
            Rule::Packagist,
        ];
        let texts = [
            "",
            " ",
            "-",
            "é",
            "1.é",
            "~~",
            "1-",
            "_",
            "\u{1}",
            "9999999999999999999999999.1",
            "1.0_p9999999999999999999999",
        ];
        for rule in rules {
            for left in texts {
                for right in texts {
                    if let (Some(left), Some(right)) = (rule.parse(left), rule.parse(right)) {
                        assert_eq!(left.compare(&right), right.compare(&left).reverse());
                    }
                }
            }
            assert!(rule.parse(&"1.".repeat(1000)).is_none());
        }
    }
}
