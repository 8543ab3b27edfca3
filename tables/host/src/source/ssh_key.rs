//! Keys of SSH: public ones as text, private ones in PEM files.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// Facts about a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// Name of the algorithm in SSH: `ssh-ed25519`.
    pub(crate) algorithm: String,
    /// Length in bits, of the modulus or the curve; `None` for an unknown algorithm.
    pub(crate) bits: Option<i64>,
    /// As `ssh-keygen -l` shows it: `SHA256:` and base64.
    pub(crate) fingerprint: String,
}

/// Facts about a private key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PrivateKey {
    pub(crate) encrypted: bool,
    /// `rsa`, `dsa`, `ec` or `ed25519`; `None` if unknown.
    pub(crate) kind: Option<&'static str>,
    /// Unknown for most encrypted keys.
    pub(crate) public: Option<PublicKey>,
}

/// A key as a line of text has it: its algorithm, the key, and the rest of the line.
pub(crate) fn of_line(line: &str) -> Option<(PublicKey, &str, &str)> {
    let (algorithm, rest) = line.trim_start().split_once([' ', '\t'])?;
    let rest = rest.trim_start();
    let (key, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let public = public_key(&STANDARD.decode(key).ok()?).filter(|public| public.algorithm == algorithm)?;
    Some((public, key, comment.trim()))
}

/// Reads the wire format of a public key.
pub(crate) fn public_key(blob: &[u8]) -> Option<PublicKey> {
    let mut fields = Fields(blob);
    let algorithm = std::str::from_utf8(fields.next()?).ok()?;
    let is_name =
        !algorithm.is_empty() && algorithm.len() <= 64 && algorithm.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_name {
        return None;
    }
    let plain = algorithm.strip_suffix("-cert-v01@openssh.com");
    if plain.is_some() {
        let _nonce = fields.next()?;
    }
    let name = plain.unwrap_or(algorithm);
    let is_key = |kind: &str| name.trim_end_matches("@openssh.com") == kind;
    let from = fields.0;
    let (count, bits) = if is_key("ssh-rsa") {
        let (_exponent, modulus) = (fields.next()?, fields.next()?);
        (2, Some(bits_of(modulus)))
    } else if is_key("ssh-dss") {
        (4, Some(bits_of(fields.next()?)))
    } else if name.starts_with("ecdsa-sha2-") || name.starts_with("sk-ecdsa-sha2-") {
        (if name.starts_with("sk-") { 3 } else { 2 }, curve_bits(fields.next()?))
    } else if is_key("ssh-ed25519") || is_key("sk-ssh-ed25519") {
        (if name.starts_with("sk-") { 2 } else { 1 }, Some(256))
    } else {
        (0, None)
    };
    // A certificate has the fingerprint of its key.
    let fingerprint = match plain {
        Some(plain) => {
            let plain = if plain.starts_with("sk-") { format!("{plain}@openssh.com") } else { plain.to_owned() };
            let mut key = Fields(from);
            let mut whole = with_length(plain.as_bytes());
            for _ in 0..count {
                whole.extend(with_length(key.next()?));
            }
            fingerprint(&whole)
        }
        None => fingerprint(blob),
    };
    Some(PublicKey { algorithm: algorithm.to_owned(), bits, fingerprint })
}

fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

fn with_length(field: &[u8]) -> Vec<u8> {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), field].concat()
}

/// Bits of a positive big-endian number.
fn bits_of(number: &[u8]) -> i64 {
    let digits = &number[number.iter().take_while(|byte| **byte == 0).count()..];
    let first = digits.first().map_or(0, |byte| i64::from(byte.leading_zeros()));
    digits.len() as i64 * 8 - first
}

fn curve_bits(name: &[u8]) -> Option<i64> {
    match name {
        b"nistp256" => Some(256),
        b"nistp384" => Some(384),
        b"nistp521" => Some(521),
        _ => None,
    }
}

/// Fields of SSH's wire format: a length in four bytes, and as many bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(field)
    }
}

/// Reads the first private key of a PEM file; `None` if there is none.
pub(crate) fn private_key(text: &str) -> Option<PrivateKey> {
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (label, body) = after.split_once("-----")?;
    let kind = label.strip_suffix("PRIVATE KEY")?.trim_end();
    let body = body.split("-----END").next()?;
    let legacy = body.contains("Proc-Type:") && body.contains("ENCRYPTED");
    let lines = body.lines().map(str::trim).filter(|line| !line.contains(':'));
    let encoded: String = lines.collect();
    let decoded = || STANDARD.decode(&encoded).ok();
    let unknown = |kind| PrivateKey { encrypted: legacy, kind, public: None };
    Some(match kind {
        "OPENSSH" => decoded().and_then(|bytes| of_openssh(&bytes)).unwrap_or(unknown(None)),
        "ENCRYPTED" => PrivateKey { encrypted: true, ..PrivateKey::default() },
        "RSA" if legacy => unknown(Some("rsa")),
        "DSA" if legacy => unknown(Some("dsa")),
        "EC" if legacy => unknown(Some("ec")),
        "RSA" => of_blob(decoded().and_then(|der| rsa(&der)), "rsa"),
        "DSA" => of_blob(decoded().and_then(|der| dsa(&der)), "dsa"),
        "EC" => of_blob(decoded().and_then(|der| ec(&der, None)), "ec"),
        "" => decoded().and_then(|der| pkcs8(&der)).unwrap_or_default(),
        _ => unknown(None),
    })
}

fn of_blob(blob: Option<Vec<u8>>, kind: &'static str) -> PrivateKey {
    PrivateKey { encrypted: false, kind: Some(kind), public: blob.and_then(|blob| public_key(&blob)) }
}

/// The format of OpenSSH, whose public half is never encrypted.
fn of_openssh(bytes: &[u8]) -> Option<PrivateKey> {
    let mut fields = Fields(bytes.strip_prefix(b"openssh-key-v1\0")?);
    let (cipher, _kdf, _options) = (fields.next()?, fields.next()?, fields.next()?);
    let (_count, rest) = fields.0.split_first_chunk::<4>()?;
    let public = Fields(rest).next().and_then(public_key);
    let kind = public.as_ref().and_then(|public| kind(&public.algorithm));
    Some(PrivateKey { encrypted: cipher != b"none", kind, public })
}

fn kind(algorithm: &str) -> Option<&'static str> {
    let kinds = [("rsa", "rsa"), ("dss", "dsa"), ("ecdsa", "ec"), ("ed25519", "ed25519")];
    kinds.into_iter().find(|(part, _)| algorithm.contains(part)).map(|(_, kind)| kind)
}

const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
const OCTET_STRING: u8 = 4;
const OBJECT: u8 = 6;
const SEQUENCE: u8 = 0x30;

/// The contents of a DER value of a tag, and the bytes after it.
fn der(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = bytes else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// PKCS#1: version, modulus, exponent, ...
fn rsa(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_version, rest) = der(der(bytes, SEQUENCE)?.0, INTEGER)?;
    let (modulus, rest) = der(rest, INTEGER)?;
    let (exponent, _) = der(rest, INTEGER)?;
    Some([&b"ssh-rsa"[..], exponent, modulus].map(with_length).concat())
}

/// OpenSSL's format: version, p, q, g, y, x.
fn dsa(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_version, mut rest) = der(der(bytes, SEQUENCE)?.0, INTEGER)?;
    let mut blob = with_length(b"ssh-dss");
    for _ in 0..4 {
        let (number, after) = der(rest, INTEGER)?;
        blob.extend(with_length(number));
        rest = after;
    }
    Some(blob)
}

/// SEC 1: version, private key, [0] curve, [1] public key.
fn ec(bytes: &[u8], curve: Option<&[u8]>) -> Option<Vec<u8>> {
    let (_version, rest) = der(der(bytes, SEQUENCE)?.0, INTEGER)?;
    let (_private, mut rest) = der(rest, OCTET_STRING)?;
    let mut own = None;
    if let Some((parameters, after)) = der(rest, 0xa0) {
        own = der(parameters, OBJECT).map(|(curve, _)| curve);
        rest = after;
    }
    let name = curve_name(curve.or(own)?)?;
    let point = der(der(rest, 0xa1)?.0, BIT_STRING)?.0.strip_prefix(&[0])?;
    Some([format!("ecdsa-sha2-{name}").as_bytes(), name.as_bytes(), point].map(with_length).concat())
}

fn curve_name(object: &[u8]) -> Option<&'static str> {
    match object {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => Some("nistp256"),
        [0x2b, 0x81, 4, 0, 0x22] => Some("nistp384"),
        [0x2b, 0x81, 4, 0, 0x23] => Some("nistp521"),
        _ => None,
    }
}

/// PKCS#8: version, algorithm with parameters, the key in an octet string.
fn pkcs8(bytes: &[u8]) -> Option<PrivateKey> {
    let (_version, rest) = der(der(bytes, SEQUENCE)?.0, INTEGER)?;
    let (algorithm, rest) = der(rest, SEQUENCE)?;
    let (object, parameters) = der(algorithm, OBJECT)?;
    let (key, _) = der(rest, OCTET_STRING)?;
    Some(match object {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => of_blob(rsa(key), "rsa"),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => of_blob(ec(key, der(parameters, OBJECT).map(|(curve, _)| curve)), "ec"),
        [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1] => PrivateKey { kind: Some("dsa"), ..PrivateKey::default() },
        // The public half is not in the file.
        [0x2b, 0x65, 0x70] => {
            let public = PublicKey { algorithm: "ssh-ed25519".into(), bits: Some(256), fingerprint: String::new() };
            PrivateKey { kind: Some("ed25519"), public: Some(public), ..PrivateKey::default() }
        }
        _ => PrivateKey::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::damaged::damaged;

    #[test]
    fn numbers_have_bits() {
        for (number, bits) in [(&[0, 0x80][..], 8), (&[1], 1), (&[], 0), (&[0, 0], 0), (&[3, 0xff], 10)] {
            assert_eq!(bits_of(number), bits, "{number:?}");
        }
    }

    #[test]
    fn damaged_keys_are_bounded() {
        let blob = [&b"ecdsa-sha2-nistp256"[..], b"nistp256", &[4; 65]].map(with_length).concat();
        damaged(&blob, |bytes| public_key(bytes).map_or(0, |key| key.algorithm.len()));
        let certificate = [&b"ssh-ed25519-cert-v01@openssh.com"[..], b"nonce", &[7; 32]].map(with_length).concat();
        damaged(&certificate, |bytes| public_key(bytes).map_or(0, |key| key.algorithm.len()));
        let key = [&[INTEGER, 1, 0][..], &[INTEGER, 2, 0, 0x80], &[INTEGER, 1, 3]].concat();
        let key = [&[SEQUENCE, key.len() as u8][..], &key].concat();
        assert!(rsa(&key).is_some());
        damaged(&key, |bytes| rsa(bytes).map_or(0, |key| key.len()));
        damaged(&key, |bytes| pkcs8(bytes).map_or(0, |_| 1) + ec(bytes, None).map_or(0, |key| key.len()));
        let pem =
            format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", STANDARD.encode(&key));
        assert_eq!(private_key(&pem).and_then(|key| key.public?.bits), Some(8));
        damaged(pem.as_bytes(), |bytes| usize::from(private_key(&String::from_utf8_lossy(bytes)).is_some()));
        let mut openssh = b"openssh-key-v1\0".to_vec();
        openssh.extend([&b"none"[..], b"none", b""].map(with_length).concat());
        openssh.extend([0, 0, 0, 1]);
        openssh.extend(with_length(&blob));
        assert_eq!(of_openssh(&openssh).and_then(|key| key.kind), Some("ec"));
        damaged(&openssh, |bytes| usize::from(of_openssh(bytes).is_some()));
    }

    #[test]
    fn legacy_encryption_is_found() {
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END";
        assert_eq!(private_key(pem), Some(PrivateKey { encrypted: true, kind: Some("rsa"), public: None }));
        let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END";
        assert_eq!(private_key(pem), Some(PrivateKey { encrypted: true, kind: None, public: None }));
        assert_eq!(private_key("-----BEGIN CERTIFICATE-----\nAAAA\n"), None);
        assert_eq!(private_key("ssh-rsa AAAA"), None);
    }
}
