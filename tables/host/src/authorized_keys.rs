//! `authorized_keys`: one row per key that may log in as a user.

use indago_table::prelude::*;

use crate::source::held::HeldLines;
use crate::source::homes::homes;
use crate::source::ssh_key;
use crate::source::texts::Texts;

/// Keys in `.ssh/authorized_keys` and `.ssh/authorized_keys2` of users' home directories.
///
/// Without a constraint on `uid` these are the current user's.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "authorized_keys", platforms("linux"), rows = 10, identity(uid, key_file, line), namespaces)]
#[example(
    "Keys of all users that run a fixed command.",
    "SELECT users.username, authorized_keys.options, authorized_keys.comment FROM users JOIN authorized_keys ON authorized_keys.uid = users.uid WHERE authorized_keys.options LIKE '%command=%'"
)]
pub struct AuthorizedKey {
    /// User that may log in with the key.
    #[column(index, selects)]
    uid: i64,
    /// Algorithm of the key: `ssh-ed25519`, `ssh-rsa`.
    algorithm: String,
    /// The key, in base64.
    key: String,
    /// Options in front of the key, such as `command="..",no-pty`; empty without any.
    options: String,
    /// Comment after the key; empty without one.
    comment: String,
    /// File with the key.
    key_file: String,
    /// Line in the file, from 1.
    #[column(added)]
    line: i64,
    /// Length of the key in bits; NULL for an unknown algorithm.
    #[column(added)]
    bits: Option<i64>,
    /// Fingerprint as `ssh-keygen -l` shows it.
    #[column(added)]
    fingerprint: String,
}

/// Files in a home directory.
pub(crate) const FILES: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

impl Rows for AuthorizedKey {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let homes = homes(scan.sys(), scan.keys(Self::UID), |origin, error| scan.report(origin, error))?;
        let files = homes.into_iter().flat_map(|home| FILES.map(|name| (home.uid, home.directory.join(name))));
        Ok(files.flat_map(move |(uid, path)| {
            let report = |error: &Error| scan.report("keys", error);
            let texts = Texts::new(scan.sys(), &report);
            let lines = texts.text(&path).and_then(|text| texts.got(HeldLines::new(scan.sys(), text)));
            lines.into_iter().flat_map(move |lines| {
                let path = path.clone();
                lines.settings(move |line, content| {
                    let Some(row) = entry(content) else {
                        let report = |error: &Error| scan.report("keys", error);
                        Texts::new(scan.sys(), &report).bad_line(&path, line, "not a key");
                        return None;
                    };
                    let key_file = path.display().to_string();
                    Some(AuthorizedKey { uid, key_file, line: line as i64, ..row })
                })
            })
        }))
    }
}

/// The command that a key runs instead of a shell, if its options have one.
pub(crate) fn command(line: &str) -> Option<String> {
    let options = entry(line)?.options;
    let lower = options.to_ascii_lowercase();
    let start = lower.find("command=\"").filter(|at| *at == 0 || lower.as_bytes().get(at - 1) == Some(&b','))?;
    let mut text = String::new();
    let mut characters = options[start + "command=\"".len()..].chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' if characters.peek() == Some(&'"') => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    Some(text)
}

/// A key, or options and a key. The options end at the first blank that is not in quotes.
fn entry(line: &str) -> Option<AuthorizedKey> {
    let with_options = || {
        let mut quoted = false;
        let mut escaped = false;
        let end = line.find(|character: char| {
            let is_end = !quoted && matches!(character, ' ' | '\t');
            quoted ^= character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            is_end
        })?;
        Some((&line[..end], ssh_key::of_line(&line[end..])?))
    };
    let (options, (public, key, comment)) = ssh_key::of_line(line).map(|key| ("", key)).or_else(with_options)?;
    Some(AuthorizedKey {
        algorithm: public.algorithm,
        key: key.to_owned(),
        options: options.to_owned(),
        comment: comment.to_owned(),
        bits: public.bits,
        fingerprint: public.fingerprint,
        ..AuthorizedKey::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    /// Made by `ssh-keygen -t ed25519` of OpenSSH 9.2, which also printed the fingerprint.
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGAZqlx6fYfq0nL6HWId7vQyjWo8CGEoxA8yRoFJ4Yp/";
    const FINGERPRINT: &str = "SHA256:KOGeL1QQrSITKBlyevtL25MnrVVCn/vcbgrgREz5Kog";

    #[test]
    fn options_may_have_blanks_and_quotes() {
        let options = r#"command="echo \"a b\" ssh-rsa",no-pty"#;
        for (line, expected) in [
            (format!("ssh-ed25519 {KEY} ada@host of mine"), ("", "ada@host of mine")),
            (format!("ssh-ed25519\t{KEY}"), ("", "")),
            (format!("{options} ssh-ed25519 {KEY} x"), (options, "x")),
            (format!("restrict  ssh-ed25519   {KEY}"), ("restrict", "")),
        ] {
            let row = entry(&line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((row.options.as_str(), row.comment.as_str()), expected, "{line}");
            assert_eq!((row.algorithm.as_str(), row.key.as_str(), row.bits), ("ssh-ed25519", KEY, Some(256)), "{line}");
            assert_eq!(row.fingerprint, FINGERPRINT, "{line}");
            damaged(line.as_bytes(), |bytes| usize::from(entry(&String::from_utf8_lossy(bytes)).is_some()));
        }
        assert_eq!(command(&format!("{options} ssh-ed25519 {KEY}")).as_deref(), Some("echo \"a b\" ssh-rsa"));
        assert_eq!(command(&format!("from=\"x\",command=\"id\" ssh-ed25519 {KEY}")).as_deref(), Some("id"));
        assert_eq!(command(&format!("no-pty ssh-ed25519 {KEY}")), None);
        for line in ["ssh-ed25519", "ssh-rsa AAAA", "1024 35 1234", &format!("ssh-rsa {KEY}"), "command=\"x ssh-rsa"] {
            assert_eq!(entry(line), None, "{line}");
        }
    }
}
