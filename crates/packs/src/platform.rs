//! Which hosts a query applies to: platform, version, shard.

use sha1::{Digest, Sha1};

/// The platform that this program runs on, by its name in packs.
pub const PLATFORM: &str = if cfg!(target_os = "macos") {
    "darwin"
} else if cfg!(target_os = "windows") {
    "windows"
} else {
    std::env::consts::OS
};

/// The osquery release whose tables and SQL are supported.
pub const OSQUERY_VERSION: &str = "5.23.1";

/// Names for Linux in packs.
const LINUX: [&str; 11] =
    ["linux", "ubuntu", "debian", "centos", "rhel", "redhat", "fedora", "amazon", "suse", "gentoo", "arch"];

/// Why a pack or query does not apply to this host; `None` if it does.
pub(crate) fn mismatch(what: &str, platforms: Option<&str>, version: Option<&str>, current: &str) -> Option<String> {
    if let Some(platforms) = platforms
        && !is_for(platforms, current)
    {
        let names: Vec<&str> = names(platforms).collect();
        return Some(format!("{what} is for {}; this is {current}", names.join(", ")));
    }
    let version = version?;
    (numbers(version) > numbers(OSQUERY_VERSION))
        .then(|| format!("{what} needs osquery {version} or later; Indago supports {OSQUERY_VERSION}"))
}

fn names(platforms: &str) -> impl Iterator<Item = &str> {
    platforms.split([',', ' ', '|']).map(str::trim).filter(|name| !name.is_empty())
}

fn is_for(platforms: &str, current: &str) -> bool {
    let matches = |name: &str| match name.to_ascii_lowercase().as_str() {
        "all" | "any" | "*" => true,
        "posix" => current != "windows",
        name if LINUX.contains(&name) => current == "linux",
        "macos" | "osx" => current == "darwin",
        name => name == current,
    };
    names(platforms).next().is_none() || names(platforms).any(matches)
}

fn numbers(version: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

/// Whether a host is in the given percentage of hosts: the first byte of its name's SHA-1 decides, as in osquery.
pub fn in_shard(host: &str, percent: u32) -> bool {
    let first = u32::from(Sha1::digest(host.as_bytes())[0]);
    percent >= 100 || first * 100 / 255 < percent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms() {
        for (platforms, linux, darwin) in [
            ("linux", true, false),
            ("posix", true, true),
            ("windows,darwin", false, true),
            ("all", true, true),
            ("", true, true),
            ("ubuntu, centos", true, false),
            ("Linux", true, false),
            ("freebsd", false, false),
        ] {
            assert_eq!(is_for(platforms, "linux"), linux, "{platforms}");
            assert_eq!(is_for(platforms, "darwin"), darwin, "{platforms}");
        }
        assert_eq!(
            mismatch("the query", Some("windows,darwin"), None, "linux").as_deref(),
            Some("the query is for windows, darwin; this is linux")
        );
    }

    #[test]
    fn versions() {
        assert_eq!(mismatch("the query", None, Some("1.4.5"), "linux"), None);
        assert_eq!(mismatch("the query", None, Some("5.23.1.0"), "linux"), None);
        let reason = mismatch("the query", None, Some("6.0.0"), "linux").expect("newer");
        assert!(reason.starts_with("the query needs osquery 6.0.0 or later"), "{reason}");
    }

    #[test]
    fn shards() {
        let hosts = 0..1000;
        let chosen = hosts.filter(|n| in_shard(&format!("host-{n}"), 25)).count();
        assert!((200..300).contains(&chosen), "{chosen}");
        assert!(in_shard("any", 100));
        assert!(!in_shard("any", 0));
    }
}
