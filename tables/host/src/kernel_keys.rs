//! `kernel_keys`: one row per key in `/proc/keys`.

use indago_table::prelude::*;

use crate::source::procfs::{note_lossy, required, text};

/// Keys and keyrings in the kernel's key management that the current user may view.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "kernel_keys", platforms("linux"), rows = 20, identity(serial_number))]
#[example("Certificates that the kernel trusts.", "SELECT description FROM kernel_keys WHERE type = 'asymmetri'")]
pub struct KernelKey {
    /// Serial number of the key, in hexadecimal.
    serial_number: String,
    /// State of the key, a letter or `-` each: instantiated (`I`), revoked (`R`), dead (`D`), in the quota (`Q`), under
    /// construction (`U`), negative (`N`), invalidated (`i`).
    flags: String,
    /// Number of references to the key.
    #[column(volatile)]
    usage: i64,
    /// Time until it expires, as the kernel shows it: `perm` (never), `expd` (expired), `3d`.
    #[column(volatile)]
    timeout: String,
    /// Permissions of the possessor, the user, the group and others: eight hexadecimal digits.
    permissions: String,
    /// ID of the owning user.
    uid: i64,
    /// ID of the owning group; -1 if there is none.
    gid: i64,
    /// Kind of key, as the kernel shows it: at most 9 characters (`keyring`, `user`, `logon`, `asymmetri`).
    r#type: String,
    /// Name of the key and a summary of its content.
    description: String,
}

const FILE: &str = "/proc/keys";

impl Rows for KernelKey {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let bytes = required(scan.sys().read(FILE))?;
        note_lossy(scan.sys(), &bytes);
        let reject = |line| {
            let error = Error::BadLine { file: FILE.to_owned(), line, what: "not a key".to_owned() };
            scan.report(FILE, &error);
        };
        Ok(parse(&text(&bytes), reject).into_iter())
    }
}

fn parse(text: &str, mut reject: impl FnMut(u64)) -> Vec<KernelKey> {
    let mut keys = Vec::new();
    for (position, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match key(line) {
            Some(key) => keys.push(key),
            None => reject(position as u64 + 1),
        }
    }
    keys
}

fn key(line: &str) -> Option<KernelKey> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (serial_number, flags, usage) = (word()?.to_owned(), word()?.to_owned(), word()?.parse().ok()?);
    let (timeout, permissions) = (word()?.to_owned(), word()?.to_owned());
    let (uid, gid, kind) = (word()?.parse().ok()?, word()?.parse().ok()?, word()?.to_owned());
    let description = rest.trim_start().to_owned();
    Some(KernelKey { serial_number, flags, usage, timeout, permissions, uid, gid, r#type: kind, description })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    const SAMPLE: &str = "004d628c I--Q---     2 perm 3f030000     0     0 keyring   _ses: 1\n\
        1a2b3c4d I--Q---     1  59m 3f010000  1000    -1 user      name with blanks: 12\nshort\n";

    #[test]
    fn a_description_may_have_blanks() {
        let mut rejected = Vec::new();
        let keys = parse(SAMPLE, |line| rejected.push(line));
        let [ring, key] = keys.as_slice() else { panic!("{keys:?}") };
        assert_eq!((ring.r#type.as_str(), ring.description.as_str(), ring.usage), ("keyring", "_ses: 1", 2));
        assert_eq!((key.uid, key.gid, key.timeout.as_str()), (1000, -1, "59m"));
        assert_eq!(key.description, "name with blanks: 12");
        assert_eq!(rejected, [3]);
        damaged(SAMPLE.as_bytes(), |bytes| parse(&String::from_utf8_lossy(bytes), |_| {}).len());
    }
}
