//! `user_ssh_keys`: one row per private key in users' `.ssh` directories.

use indago_table::prelude::*;

use crate::source::homes::homes;
use crate::source::ssh_key::{self, PrivateKey};
use crate::source::texts::Texts;

/// Private SSH keys in the `.ssh` directories of users' home directories.
///
/// Without a constraint on `uid` these are the current user's. Unlike osquery's table, this one has the type and length
/// of keys in OpenSSH's own format, also of encrypted ones.
#[derive(Debug, Default, PartialEq, Table)]
#[table(name = "user_ssh_keys", platforms("linux"), rows = 5, identity(uid, path), namespaces)]
#[example(
    "Private keys of all users without a passphrase.",
    "SELECT users.username, user_ssh_keys.path FROM users JOIN user_ssh_keys ON user_ssh_keys.uid = users.uid WHERE user_ssh_keys.encrypted = 0"
)]
pub struct UserSshKey {
    /// User whose home directory has the key.
    #[column(index, selects)]
    uid: i64,
    /// Path of the key.
    #[column(index)]
    path: String,
    /// Whether it is encrypted with a passphrase: 1 or 0.
    encrypted: i64,
    /// Kind of key: `rsa`, `dsa`, `ec` or `ed25519`; empty if unknown.
    key_type: String,
    /// Name of the elliptic curve: `prime256v1`; empty for other keys.
    key_group_name: String,
    /// Length in bits, of the modulus or the curve; -1 if unknown.
    key_length: i64,
    /// Strength of the key, as bits of a symmetric key (NIST SP 800-57); -1 if unknown.
    key_security_bits: i64,
    /// Fingerprint of the public half, as `ssh-keygen -l` shows it; NULL if the file does not have it in plain text.
    #[column(added)]
    fingerprint: Option<String>,
}

/// Larger files are not keys.
const MOST_BYTES: u64 = 1 << 20;

impl Rows for UserSshKey {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let homes = homes(scan.sys(), scan.keys(Self::UID), |origin, error| scan.report(origin, error))?;
        Ok(homes.into_iter().flat_map(move |home| {
            let report = |error: &Error| scan.report("keys", error);
            let texts = Texts::new(scan.sys(), &report);
            let paths = texts.files_in(home.directory.join(".ssh"));
            let small = paths
                .into_iter()
                .filter(|path| scan.sys().metadata(path).map_or(true, |metadata| metadata.len() <= MOST_BYTES));
            let keys = small.filter_map(|path| {
                let bytes = texts.got(scan.sys().read_at_most(&path, MOST_BYTES))?;
                let key = ssh_key::private_key(&String::from_utf8_lossy(&bytes))?;
                Some(UserSshKey { uid: home.uid, path: scan.sys().path_text(path), ..row(key) })
            });
            keys.collect::<Vec<_>>().into_iter()
        }))
    }
}

fn row(key: PrivateKey) -> UserSshKey {
    let bits = key.public.as_ref().and_then(|public| public.bits);
    let kind = key.kind.unwrap_or_default();
    let group = match (kind, bits) {
        ("ec", Some(256)) => "prime256v1",
        ("ec", Some(384)) => "secp384r1",
        ("ec", Some(521)) => "secp521r1",
        _ => "",
    };
    UserSshKey {
        encrypted: key.encrypted.into(),
        key_type: kind.to_owned(),
        key_group_name: group.to_owned(),
        key_length: bits.unwrap_or(-1),
        key_security_bits: bits.and_then(|bits| strength(kind, bits)).unwrap_or(-1),
        fingerprint: key.public.map(|public| public.fingerprint).filter(|fingerprint| !fingerprint.is_empty()),
        ..UserSshKey::default()
    }
}

/// The strength that OpenSSL 3 computes.
fn strength(kind: &str, bits: i64) -> Option<i64> {
    match kind {
        "ec" => Some(match bits {
            512.. => 256,
            384.. => 192,
            256.. => 128,
            _ => bits / 2,
        }),
        "ed25519" => Some(128),
        "rsa" | "dsa" => {
            // The formula of NIST's implementation guidance for FIPS 140-2 (section 7.5), rounded to a multiple of 8.
            let size = bits.clamp(8, 687_736) as f64 * std::f64::consts::LN_2;
            let strength = (1.923 * (size * size.ln() * size.ln()).cbrt() - 4.69) / std::f64::consts::LN_2;
            let rounded = (strength as i64 + 4) & !7;
            let most = if bits <= 7680 {
                192
            } else if bits <= 15360 {
                256
            } else {
                1200
            };
            Some(if kind == "dsa" { rounded.min(112) } else { rounded.min(most) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EVP_PKEY_security_bits` of OpenSSL 3.0.
    #[test]
    fn strengths_are_those_of_openssl() {
        for (bits, expected) in
            [(1024, 80), (2048, 112), (3072, 128), (4096, 152), (6144, 176), (7680, 192), (8192, 200)]
        {
            assert_eq!(strength("rsa", bits), Some(expected), "{bits}");
        }
        for (bits, expected) in [(256, 128), (384, 192), (521, 256)] {
            assert_eq!(strength("ec", bits), Some(expected), "{bits}");
        }
        assert_eq!(strength("", 1), None);
        assert!(strength("rsa", i64::MAX).is_some() && strength("rsa", 0).is_some());
    }
}
