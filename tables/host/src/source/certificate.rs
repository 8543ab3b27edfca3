//! X.509 certificates: PEM bundles, and the facts of a certificate as OpenSSL names and prints them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indago_table::prelude::*;
use sha1::{Digest, Sha1};
use x509_cert::certificate::{CertificateInner, Raw, TbsCertificateInner, Version};
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Tag, TagNumber, Tagged};
use x509_cert::name::{Name, RelativeDistinguishedName};
use x509_cert::time::Time;

use super::object_names::{KnownName, known};

const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const NETSCAPE_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Uses of a key, in the order in which osquery lists them, with their bits in the extension.
const KEY_USES: [(usize, &str); 9] = [
    (7, "Encipher Only"),
    (6, "CRL Sign"),
    (5, "Key Cert Sign"),
    (4, "Key Agreement"),
    (3, "Data Encipherment"),
    (2, "Key Encipherment"),
    (1, "Non Repudiation"),
    (0, "Digital Signature"),
    (8, "Decipher Only"),
];

/// The bit of the key usage, and of Netscape's certificate type, that lets a certificate sign others.
const SIGNS_CERTIFICATES: usize = 5;
const NETSCAPE_AUTHORITIES: [usize; 3] = [5, 6, 7];

/// The facts of one certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The first common name of the subject; empty if it has none.
    pub(crate) common_name: String,
    /// Subject and issuer as `/C=US/O=Name`.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// Subject and issuer as `C = US, O = Name`.
    pub(crate) subject2: String,
    pub(crate) issuer2: String,
    pub(crate) is_authority: bool,
    pub(crate) is_self_signed: bool,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) signing_algorithm: String,
    pub(crate) key_algorithm: String,
    /// Bits of an RSA or DSA key, name of an elliptic curve, or empty.
    pub(crate) key_strength: String,
    /// Names of the uses, separated by `, `; empty without the extension.
    pub(crate) key_usage: String,
    /// In hexadecimal; empty without the extension.
    pub(crate) subject_key_id: String,
    pub(crate) authority_key_id: String,
    pub(crate) sha1: String,
    pub(crate) serial: String,
}

impl Certificate {
    /// Parses a certificate in DER.
    pub(crate) fn parse(der: &[u8]) -> Result<Self> {
        let parsed = CertificateInner::<Raw>::from_der(der)
            .map_err(|error| Error::Malformed(format!("not an X.509 certificate: {error}")))?;
        let tbs = parsed.tbs_certificate();
        let key = tbs.subject_public_key_info();
        let key_usage = key_usage(tbs);
        let authority_key_id = extension(tbs, AUTHORITY_KEY_ID).and_then(|der| AuthorityKey::parse(der, tbs));
        let common_names = tbs.subject().iter().filter(|attribute| attribute.oid == COMMON_NAME);
        Ok(Certificate {
            common_name: common_names.map(|name| text(name.value.to_ref())).next().unwrap_or_default(),
            subject: one_line(tbs.subject()),
            issuer: one_line(tbs.issuer()),
            subject2: spaced(tbs.subject()),
            issuer2: spaced(tbs.issuer()),
            is_authority: is_authority(tbs, key_usage.as_deref()),
            is_self_signed: is_self_signed(tbs, key_usage.as_deref(), authority_key_id.as_ref()),
            not_before: seconds(tbs.validity().not_before),
            not_after: seconds(tbs.validity().not_after),
            signing_algorithm: long_name(&parsed.signature_algorithm().oid),
            key_algorithm: long_name(&key.algorithm.oid),
            key_strength: key_strength(
                key.algorithm.oid,
                key.algorithm.parameters.as_ref().map(|any| any.to_ref()),
                key.subject_public_key.raw_bytes(),
            ),
            key_usage: key_usage.map(|bits| names_of_uses(&bits)).unwrap_or_default(),
            subject_key_id: subject_key_id(tbs).map(hex::encode).unwrap_or_default(),
            authority_key_id: authority_key_id.and_then(|id| id.key.map(hex::encode)).unwrap_or_default(),
            sha1: hex::encode(Sha1::digest(der)),
            serial: serial(tbs.serial_number().as_bytes()),
        })
    }
}

/// The certificates in a file: the entries of a PEM bundle, or a single one in DER. Each entry fails by itself.
pub(crate) fn certificates(file: &str, bytes: &[u8]) -> Vec<Result<Certificate>> {
    if bytes.first() == Some(&SEQUENCE) {
        return vec![Certificate::parse(bytes).map_err(|error| Error::Malformed(format!("{file}: {error}")))];
    }
    let parse = |(line, der): (u64, Result<Vec<u8>, String>)| {
        let bad = |what: String| Error::BadLine { file: file.to_owned(), line, what };
        Certificate::parse(&der.map_err(bad)?).map_err(|error| bad(error.to_string()))
    };
    pem_certificates(bytes).map(parse).collect()
}

/// The first byte of every certificate in DER.
const SEQUENCE: u8 = 0x30;

/// Labels of certificates in PEM. OpenSSL's trusted certificates end with more data.
const LABELS: [&[u8]; 3] = [b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"];

/// The entries of a PEM file that are certificates, each with the number of its first line.
fn pem_certificates(bytes: &[u8]) -> impl Iterator<Item = (u64, Result<Vec<u8>, String>)> {
    let mut lines = (1..).zip(bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)).peekable();
    std::iter::from_fn(move || {
        loop {
            let (first, label) = lines.find_map(|(line, text)| Some((line, label(text, b"-----BEGIN ")?)))?;
            if !LABELS.contains(&label) {
                continue;
            }
            let mut encoded = Vec::new();
            let mut is_complete = false;
            // An entry without an END line ends at the next one.
            while let Some((_, text)) = lines.next_if(|(_, text)| self::label(text, b"-----BEGIN ").is_none()) {
                is_complete = self::label(text, b"-----END ").is_some();
                if is_complete {
                    break;
                }
                encoded.extend_from_slice(text);
            }
            let decoded = match STANDARD.decode(&encoded) {
                _ if !is_complete => Err("this certificate has no END line".to_owned()),
                Ok(der) if label == LABELS[2] => Ok(first_element(der)),
                Ok(der) => Ok(der),
                Err(error) => Err(format!("this certificate is not base64: {error}")),
            };
            return Some((first, decoded));
        }
    })
}

fn label<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(start)?.strip_suffix(b"-----")
}

/// The first element of DER.
fn first_element(mut der: Vec<u8>) -> Vec<u8> {
    let length = AnyRef::from_der_partial(&der).map(|(_, rest)| der.len() - rest.len());
    der.truncate(length.unwrap_or(der.len()));
    der
}

type Tbs = TbsCertificateInner<Raw>;

fn extension(tbs: &Tbs, id: ObjectIdentifier) -> Option<&[u8]> {
    let mut all = tbs.extensions().into_iter().flatten();
    all.find(|extension| extension.extn_id == id).map(|extension| extension.extn_value.as_bytes())
}

fn bits(tbs: &Tbs, id: ObjectIdentifier) -> Option<Vec<bool>> {
    Some(BitStringRef::from_der(extension(tbs, id)?).ok()?.bits().collect())
}

fn is_set(bits: &[bool], bit: usize) -> bool {
    bits.get(bit) == Some(&true)
}

fn key_usage(tbs: &Tbs) -> Option<Vec<bool>> {
    bits(tbs, KEY_USAGE)
}

fn names_of_uses(bits: &[bool]) -> String {
    let names: Vec<&str> = KEY_USES.iter().filter(|(bit, _)| is_set(bits, *bit)).map(|(_, name)| *name).collect();
    names.join(", ")
}

fn subject_key_id(tbs: &Tbs) -> Option<&[u8]> {
    let id = AnyRef::from_der(extension(tbs, SUBJECT_KEY_ID)?).ok()?;
    (id.tag() == Tag::OctetString).then(|| id.value())
}

/// The identifier of the key that signed a certificate.
struct AuthorityKey<'a> {
    key: Option<&'a [u8]>,
    /// Whether it names the certificate itself, by issuer and serial number, as far as it names one.
    names_itself: bool,
}

impl<'a> AuthorityKey<'a> {
    fn parse(der: &'a [u8], tbs: &Tbs) -> Option<Self> {
        let part = |number: u8| {
            elements(der)?.find(|part| {
                matches!(part.tag(), Tag::ContextSpecific { number: found, .. } if found == TagNumber(number.into()))
            })
        };
        // The issuer is a list of names. OpenSSL compares the first directory name.
        let directory = part(1).and_then(|names| {
            let is_directory =
                |name: &AnyRef<'_>| matches!(name.tag(), Tag::ContextSpecific { number, .. } if number == TagNumber(4));
            parts(names.value()).find(is_directory)
        });
        let serial = part(2).is_none_or(|serial| serial.value() == tbs.serial_number().as_bytes());
        let issuer = directory.is_none_or(|name| tbs.issuer().to_der().is_ok_and(|own| own == name.value()));
        Some(AuthorityKey { key: part(0).map(AnyRef::value), names_itself: serial && issuer })
    }
}

/// The elements of a sequence or set.
fn elements(der: &[u8]) -> Option<impl Iterator<Item = AnyRef<'_>>> {
    Some(parts(AnyRef::from_der(der).ok()?.value()))
}

/// Elements in a row, up to the first malformed one.
pub(crate) fn parts(mut bytes: &[u8]) -> impl Iterator<Item = AnyRef<'_>> {
    std::iter::from_fn(move || {
        let (element, rest) = AnyRef::from_der_partial(bytes).ok()?;
        bytes = rest;
        Some(element)
    })
}

/// Whether OpenSSL takes the certificate for an authority's.
fn is_authority(tbs: &Tbs, key_usage: Option<&[bool]>) -> bool {
    if key_usage.is_some_and(|bits| !is_set(bits, SIGNS_CERTIFICATES)) {
        return false;
    }
    if let Some(constraints) = extension(tbs, BASIC_CONSTRAINTS) {
        let is_true = |part: AnyRef<'_>| part.tag() == Tag::Boolean && part.value() != [0];
        return elements(constraints).is_some_and(|mut parts| parts.any(is_true));
    }
    let is_old_root = tbs.version() == Version::V1 && tbs.subject() == tbs.issuer();
    let netscape = bits(tbs, NETSCAPE_TYPE).unwrap_or_default();
    is_old_root || key_usage.is_some() || NETSCAPE_AUTHORITIES.iter().any(|bit| is_set(&netscape, *bit))
}

/// Whether the certificate names itself as its issuer. Its signature is not checked.
fn is_self_signed(tbs: &Tbs, key_usage: Option<&[bool]>, authority: Option<&AuthorityKey<'_>>) -> bool {
    let names_its_key = authority.is_none_or(|authority| {
        let differs = authority.key.zip(subject_key_id(tbs)).is_some_and(|(authority, own)| authority != own);
        !differs && authority.names_itself
    });
    tbs.subject() == tbs.issuer() && names_its_key && key_usage.is_none_or(|bits| is_set(bits, SIGNS_CERTIFICATES))
}

fn seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

/// OpenSSL's name of an object, or its number.
pub(crate) fn long_name(id: &ObjectIdentifier) -> String {
    known(id).map_or_else(|| id.to_string(), |KnownName { long, .. }| long.to_owned())
}

pub(crate) fn short_name(id: &ObjectIdentifier) -> String {
    known(id).map_or_else(|| id.to_string(), |KnownName { short, .. }| short.to_owned())
}

fn first_integer(der: AnyRef<'_>) -> Option<UintRef<'_>> {
    parts(der.value()).next()?.decode_as().ok()
}

fn key_strength(algorithm: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> String {
    let bits = match algorithm {
        // The size of a signature, in whole bytes.
        RSA => AnyRef::from_der(key).ok().and_then(first_integer).map(|modulus| modulus.as_bytes().len() * 8),
        DSA => parameters.and_then(first_integer).map(|prime| prime.as_bytes().len() * 8),
        ELLIPTIC => {
            let curve = parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
            return curve.map(|curve| long_name(&curve)).unwrap_or_default();
        }
        _ => None,
    };
    bits.map(|bits| bits.to_string()).unwrap_or_default()
}

/// A serial number in hexadecimal, as OpenSSL prints a number.
fn serial(bytes: &[u8]) -> String {
    let is_negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if is_negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    let start = magnitude.iter().position(|byte| *byte != 0).unwrap_or(magnitude.len());
    let digits = hex::encode_upper(&magnitude[start..]);
    match digits.as_str() {
        "" => "0".to_owned(),
        digits if is_negative => format!("-{digits}"),
        _ => digits,
    }
}

/// The characters of a text in a name; `None` if its type is not a text type.
fn characters(value: AnyRef<'_>) -> Option<Vec<char>> {
    let bytes = value.value();
    let wide = |size: usize| {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        bytes.chunks(size).map(|bytes| char::from_u32(number(bytes)).unwrap_or('\u{fffd}')).collect()
    };
    match value.tag() {
        Tag::Utf8String => Some(String::from_utf8_lossy(bytes).chars().collect()),
        Tag::BmpString => Some(wide(2)),
        Tag::NumericString | Tag::PrintableString | Tag::TeletexString | Tag::Ia5String | Tag::VisibleString => {
            Some(bytes.iter().map(|byte| char::from(*byte)).collect())
        }
        _ => None,
    }
}

/// A value in a name, as text.
pub(crate) fn text(value: AnyRef<'_>) -> String {
    characters(value).map_or_else(|| String::from_utf8_lossy(value.value()).into_owned(), String::from_iter)
}

/// A name on one line, in the form that OpenSSL calls compatible: `/C=US/O=Name`.
pub(crate) fn one_line(name: &Name) -> String {
    let mut line = String::new();
    for set in name.iter_rdn() {
        for (position, attribute) in set.iter().enumerate() {
            line.push(if position == 0 { '/' } else { '+' });
            line.push_str(&short_name(&attribute.oid));
            line.push('=');
            for byte in attribute.value.value() {
                match byte {
                    b'/' | b'+' => line.extend(['\\', char::from(*byte)]),
                    b' '..=b'~' => line.push(char::from(*byte)),
                    _ => line.push_str(&format!("\\x{byte:02X}")),
                }
            }
        }
    }
    line
}

/// A name on one line: `C = US, O = Name`.
fn spaced(name: &Name) -> String {
    let sets: Vec<String> = name.iter_rdn().map(spaced_set).collect();
    sets.join(", ")
}

fn spaced_set(set: &RelativeDistinguishedName) -> String {
    let attribute = |attribute: &x509_cert::attr::AttributeTypeAndValue| {
        let value = match characters(attribute.value.to_ref()) {
            Some(characters) => quoted(&characters),
            None => format!("#{}", hex::encode_upper(attribute.value.to_der().unwrap_or_default())),
        };
        format!("{} = {value}", short_name(&attribute.oid))
    };
    let attributes: Vec<String> = set.iter().map(attribute).collect();
    attributes.join(" + ")
}

/// A value as RFC 2253 has it, with quotation marks in place of escapes where that is possible.
fn quoted(characters: &[char]) -> String {
    let mut line = String::new();
    let mut needs_quotes = false;
    for (position, letter) in characters.iter().enumerate() {
        let is_end = position + 1 == characters.len();
        match letter {
            ',' | '+' | '<' | '>' | ';' => needs_quotes = true,
            ' ' if position == 0 || is_end => needs_quotes = true,
            '#' if position == 0 => needs_quotes = true,
            '"' | '\\' => line.push('\\'),
            _ => {}
        }
        if matches!(letter, ' '..='~') {
            line.push(*letter);
        } else {
            let mut bytes = [0; 4];
            letter.encode_utf8(&mut bytes).bytes().for_each(|byte| line.push_str(&format!("\\{byte:02X}")));
        }
    }
    if needs_quotes { format!("\"{line}\"") } else { line }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A certificate that OpenSSL makes, in PEM.
    fn made(arguments: &str) -> Vec<u8> {
        let script = format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout /dev/null {arguments}"
        );
        let output = Command::new("sh").args(["-c", &script]).output().expect("sh runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    #[test]
    fn damaged_certificates_are_errors_and_not_panics() {
        let pem = made("-subj /C=US/CN=x -addext keyUsage=keyCertSign");
        let (_, der) = pem_certificates(&pem).next().expect("a certificate");
        let der = der.expect("base64");
        let whole = Certificate::parse(&der).expect("a certificate");
        assert_eq!((&*whole.common_name, &*whole.key_usage), ("x", "Key Cert Sign"));
        for length in 0..der.len() {
            assert!(Certificate::parse(&der[..length]).is_err(), "{length}");
        }
        for position in 0..der.len() {
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut changed = der.clone();
                changed[position] ^= flip;
                if let Ok(facts) = Certificate::parse(&changed) {
                    assert!(facts.subject.len() + facts.subject2.len() < 1000, "{position}");
                }
            }
        }
        for length in 0..pem.len() {
            certificates("x", &pem[..length]);
        }
    }

    #[test]
    fn a_damaged_entry_does_not_affect_the_others() {
        let good = String::from_utf8(made("-subj /CN=good")).expect("PEM");
        let bundle = format!(
            "# text\n-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n{good}\n\
             -----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n\
             -----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{}-----BEGIN CERTIFICATE-----\nAAAA\n",
            good.replace("CERTIFICATE", "TRUSTED CERTIFICATE").replace('\n', "\r\n")
        );
        let found: Vec<String> = certificates("/x", bundle.as_bytes())
            .into_iter()
            .map(|entry| entry.map_or_else(|error| error.to_string(), |facts| facts.common_name))
            .collect();
        assert!(found[0].starts_with("/x, line 2: this certificate is not base64"), "{found:?}");
        assert_eq!((&*found[1], &*found[3]), ("good", "good"));
        assert!(found[2].contains(": not an X.509 certificate: "), "{found:?}");
        assert!(found[4].ends_with("this certificate has no END line"), "{found:?}");
        assert_eq!(found.len(), 5);
        let bundle = format!("-----BEGIN CERTIFICATE-----\nAAAA\n{good}{good}");
        let found = certificates("/x", bundle.as_bytes());
        assert!(found[0].as_ref().is_err_and(|error| error.to_string().ends_with("this certificate has no END line")));
        assert_eq!((found.len(), found[1].is_ok(), found[2].is_ok()), (3, true, true));
        assert!(certificates("/x", b"\x30\x03abc")[0].is_err());
        assert!(certificates("/x", b"no certificates").is_empty());
    }

    #[test]
    fn serial_numbers_are_printed_as_numbers() {
        for (bytes, text) in [
            (&[0][..], "0"),
            (&[0, 0xff], "FF"),
            (&[1], "01"),
            (&[0xff], "-01"),
            (&[0x80, 0], "-8000"),
            (&[0xff, 0, 0], "-010000"),
            (&[], "0"),
        ] {
            assert_eq!(serial(bytes), text);
        }
    }
}
