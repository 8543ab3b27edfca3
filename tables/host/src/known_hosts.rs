//! `known_hosts`: one row per host key that a user has accepted.

use indago_table::prelude::*;

use crate::source::held::HeldLines;
use crate::source::homes::homes;
use crate::source::ssh_key;
use crate::source::texts::{Texts, split_word};

/// Keys of remote hosts in `.ssh/known_hosts` of users' home directories.
///
/// Without a constraint on `uid` these are the current user's.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "known_hosts", platforms("linux"), rows = 20, identity(uid, key_file, line), namespaces)]
#[example(
    "Hosts that users have connected to.",
    "SELECT users.username, known_hosts.hosts FROM users JOIN known_hosts ON known_hosts.uid = users.uid"
)]
pub struct KnownHost {
    /// User that knows the host.
    #[column(index, selects)]
    uid: i64,
    /// The line of the file: names of the host, algorithm, key, comment.
    key: String,
    /// File with the line.
    key_file: String,
    /// Line in the file, from 1.
    #[column(added)]
    line: i64,
    /// `@cert-authority` (the key signs other hosts' keys) or `@revoked`; empty for the key of a host.
    #[column(added)]
    marker: String,
    /// Names, addresses and patterns, separated by commas; one that starts with `|1|` is hashed.
    #[column(added)]
    hosts: String,
    /// Algorithm of the key; NULL if the key is malformed.
    #[column(added)]
    algorithm: Option<String>,
    /// Fingerprint as `ssh-keygen -l` shows it; NULL if the key is malformed.
    #[column(added)]
    fingerprint: Option<String>,
}

impl Rows for KnownHost {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let homes = homes(scan.sys(), scan.keys(Self::UID), |origin, error| scan.report(origin, error))?;
        Ok(homes.into_iter().flat_map(move |home| {
            let report = |error: &Error| scan.report("keys", error);
            let texts = Texts::new(scan.sys(), &report);
            let path = home.directory.join(".ssh/known_hosts");
            let text = texts.text(&path).unwrap_or_default();
            let lines = texts.got(HeldLines::new(scan.sys(), text)).into_iter();
            lines.flat_map(move |lines| {
                let (uid, key_file) = (home.uid, path.display().to_string());
                let row = move |line: usize, content: &str| KnownHost {
                    uid,
                    key_file: key_file.clone(),
                    line: line as i64,
                    ..entry(content)
                };
                lines.settings(move |line, content| Some(row(line, content)))
            })
        }))
    }
}

fn entry(line: &str) -> KnownHost {
    let (marker, rest) = match line.starts_with('@') {
        true => split_word(line),
        false => ("", line),
    };
    let (hosts, key) = split_word(rest);
    let (algorithm, fingerprint) = match ssh_key::of_line(key) {
        Some((public, ..)) => (Some(public.algorithm), Some(public.fingerprint)),
        None => (None, None),
    };
    KnownHost {
        key: line.to_owned(),
        marker: marker.to_owned(),
        hosts: hosts.to_owned(),
        algorithm,
        fingerprint,
        ..KnownHost::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn a_line_has_hosts_and_perhaps_a_marker() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (line, marker, hosts, is_key) in [
            (format!("a.test,192.0.2.1 {key} x"), "", "a.test,192.0.2.1", true),
            (format!("@cert-authority *.test {key}"), "@cert-authority", "*.test", true),
            ("|1|c2FsdA==|aGFzaA== ssh-rsa bad".to_owned(), "", "|1|c2FsdA==|aGFzaA==", false),
            ("alone".to_owned(), "", "alone", false),
        ] {
            let row = entry(&line);
            assert_eq!((row.marker.as_str(), row.hosts.as_str(), row.key.as_str()), (marker, hosts, line.as_str()));
            assert_eq!((row.algorithm.is_some(), row.fingerprint.is_some()), (is_key, is_key), "{line}");
            damaged(line.as_bytes(), |bytes| entry(&String::from_utf8_lossy(bytes)).hosts.len());
        }
    }
}
