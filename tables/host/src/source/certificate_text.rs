//! The extensions of an X.509 certificate, as OpenSSL prints them.

use std::net::Ipv4Addr;

use indago_table::prelude::*;
use sha2::{Digest, Sha256};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode, Tag, Tagged};
use x509_cert::name::Name;

use super::certificate::{Certificate, long_name, one_line, parts, short_name, text};

/// A parsed certificate with all of its parts.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) facts: Certificate,
    parsed: CertificateInner<Raw>,
}

/// Names of the bits of the key usage, from the first one.
const KEY_USES: [&str; 9] = [
    "Digital Signature",
    "Non Repudiation",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Certificate Sign",
    "CRL Sign",
    "Encipher Only",
    "Decipher Only",
];

/// Between the lines of an extension.
const LINE_END: &str = ";";

/// The user name of Microsoft's directory.
const USER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");

/// Qualifiers of policies.
const STATEMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1");
const NOTICE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.2");

impl Details {
    /// Parses a certificate in DER.
    pub(crate) fn parse(der: &[u8]) -> Result<Self> {
        let facts = Certificate::parse(der)?;
        let parsed = CertificateInner::from_der(der).map_err(|error| Error::Malformed(error.to_string()))?;
        Ok(Details { facts, parsed })
    }

    pub(crate) fn version(&self) -> i64 {
        self.parsed.tbs_certificate().version() as i64 + 1
    }

    pub(crate) fn signature_algorithm(&self) -> String {
        short_name(&self.parsed.signature_algorithm().oid)
    }

    pub(crate) fn signature(&self) -> String {
        separated(self.parsed.signature().raw_bytes()).to_lowercase()
    }

    pub(crate) fn sha256(&self, der: &[u8]) -> String {
        hex::encode(Sha256::digest(der))
    }

    /// The first attribute of a kind in the subject.
    pub(crate) fn subject_part(&self, id: &str) -> Option<String> {
        part(self.parsed.tbs_certificate().subject(), id)
    }

    pub(crate) fn issuer_part(&self, id: &str) -> Option<String> {
        part(self.parsed.tbs_certificate().issuer(), id)
    }

    /// The text of an extension; empty without it. The value of a malformed one is in hexadecimal.
    pub(crate) fn extension(&self, id: &str) -> String {
        let mut all = self.parsed.tbs_certificate().extensions().into_iter().flatten();
        let Some(extension) = all.find(|extension| extension.extn_id.to_string() == id) else { return String::new() };
        let der = extension.extn_value.as_bytes();
        let printed = AnyRef::from_der(der).ok().and_then(|value| match id {
            "2.5.29.14" => Some(separated(value.value())),
            "2.5.29.15" => key_usage(der),
            "2.5.29.17" | "2.5.29.18" => Some(joined(parts(value.value()).map(general_name), ", ")),
            "2.5.29.19" => Some(basic_constraints(value)),
            "2.5.29.30" => Some(name_constraints(value)),
            "2.5.29.32" => Some(joined(parts(value.value()).map(policy), LINE_END)),
            "2.5.29.33" => Some(joined(parts(value.value()).map(mapping), ", ")),
            "2.5.29.35" => Some(authority_key(value)),
            "2.5.29.36" => Some(policy_constraints(value)),
            "2.5.29.37" => Some(joined(parts(value.value()).map(object), ", ")),
            "1.3.6.1.5.5.7.1.1" | "1.3.6.1.5.5.7.1.11" => Some(joined(parts(value.value()).map(access), LINE_END)),
            _ => None,
        });
        printed.unwrap_or_else(|| hex::encode(der))
    }
}

fn part(name: &Name, id: &str) -> Option<String> {
    let attribute = name.iter().find(|attribute| attribute.oid.to_string() == id)?;
    Some(text(attribute.value.to_ref()))
}

fn joined(texts: impl Iterator<Item = String>, between: &str) -> String {
    texts.collect::<Vec<_>>().join(between)
}

/// Bytes in hexadecimal with colons.
fn separated(bytes: &[u8]) -> String {
    joined(bytes.iter().map(|byte| format!("{byte:02X}")), ":")
}

/// The number of a context-specific tag.
fn number(element: &AnyRef<'_>) -> Option<u32> {
    match element.tag() {
        Tag::ContextSpecific { number, .. } => Some(number.value()),
        _ => None,
    }
}

/// The elements of a sequence with a context-specific tag.
fn tagged<'a>(sequence: AnyRef<'a>, tag: u32) -> Option<AnyRef<'a>> {
    parts(sequence.value()).find(|part| number(part) == Some(tag))
}

/// OpenSSL's name of an object.
fn object(element: AnyRef<'_>) -> String {
    element.decode_as().map_or_else(|_| hex::encode(element.value()), |id| long_name(&id))
}

/// A small number, or a large one in hexadecimal.
fn integer(bytes: &[u8]) -> String {
    match bytes {
        [] | [0] => "0".to_owned(),
        bytes if bytes.len() <= 8 && bytes[0] < 0x80 => {
            bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)).to_string()
        }
        bytes => format!("0x{}", hex::encode_upper(bytes)),
    }
}

fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn key_usage(der: &[u8]) -> Option<String> {
    let bits = BitStringRef::from_der(der).ok()?;
    let set = KEY_USES.into_iter().zip(bits.bits()).filter(|(_, is_set)| *is_set);
    Some(joined(set.map(|(name, _)| name.to_owned()), ", "))
}

fn basic_constraints(value: AnyRef<'_>) -> String {
    let (mut is_authority, mut length) = (false, None);
    for part in parts(value.value()) {
        match part.tag() {
            Tag::Boolean => is_authority = part.value() != [0],
            Tag::Integer => length = Some(integer(part.value())),
            _ => {}
        }
    }
    let authority = if is_authority { "CA:TRUE" } else { "CA:FALSE" };
    length.map_or(authority.to_owned(), |length| format!("{authority}, pathlen:{length}"))
}

fn directory(name: AnyRef<'_>) -> String {
    Name::from_der(name.value()).map_or_else(|_| hex::encode(name.value()), |name| one_line(&name))
}

fn general_name(name: AnyRef<'_>) -> String {
    let bytes = name.value();
    match number(&name) {
        Some(0) => other_name(name),
        Some(1) => format!("email:{}", ascii(bytes)),
        Some(2) => format!("DNS:{}", ascii(bytes)),
        Some(4) => format!("DirName:{}", directory(name)),
        Some(6) => format!("URI:{}", ascii(bytes)),
        Some(7) => format!("IP Address:{}", address(bytes)),
        Some(8) => {
            let id = ObjectIdentifier::from_bytes(bytes);
            format!("Registered ID:{}", id.map_or_else(|_| hex::encode(bytes), |id| long_name(&id)))
        }
        Some(3) => "X400Name:<unsupported>".to_owned(),
        Some(5) => "EdiPartyName:<unsupported>".to_owned(),
        _ => hex::encode(bytes),
    }
}

/// Names of other kinds, such as the user names of Microsoft. Only texts are printed.
fn other_name(name: AnyRef<'_>) -> String {
    let mut inside = parts(name.value());
    let id = inside.next().and_then(|id| id.decode_as::<ObjectIdentifier>().ok());
    let kind = match id {
        Some(USER_NAME) => "UPN".to_owned(),
        Some(id) => long_name(&id),
        None => return "othername:<unsupported>".to_owned(),
    };
    let value = inside.next().and_then(|value| parts(value.value()).next());
    let value = value.filter(|value| matches!(value.tag(), Tag::Utf8String | Tag::Ia5String));
    let value = value.map_or("<unsupported>".to_owned(), |value| ascii(value.value()));
    format!("othername: {kind}::{value}")
}

fn address(bytes: &[u8]) -> String {
    if let Ok(address) = <[u8; 4]>::try_from(bytes) {
        return Ipv4Addr::from(address).to_string();
    }
    if bytes.len() == 16 {
        return joined(bytes.chunks(2).map(|pair| format!("{:X}", u16::from(pair[0]) << 8 | u16::from(pair[1]))), ":");
    }
    "<invalid>".to_owned()
}

fn name_constraints(value: AnyRef<'_>) -> String {
    let lines = |tag: u32, title: &str| {
        let Some(trees) = tagged(value, tag) else { return Vec::new() };
        let base = |tree: AnyRef<'_>| Some(format!("  {}", constraint(parts(tree.value()).next()?)));
        std::iter::once(format!("{title}:")).chain(parts(trees.value()).filter_map(base)).collect()
    };
    [lines(0, "Permitted"), lines(1, "Excluded")].concat().join(LINE_END)
}

/// A name that constrains others; an address has a mask.
fn constraint(name: AnyRef<'_>) -> String {
    let bytes = name.value();
    match (number(&name), bytes.len()) {
        (Some(7), 8 | 32) => {
            let (network, mask) = bytes.split_at(bytes.len() / 2);
            format!("IP:{}/{}", address(network), address(mask))
        }
        _ => general_name(name),
    }
}

fn policy(information: AnyRef<'_>) -> String {
    let mut inside = parts(information.value());
    let mut lines = vec![format!("Policy: {}", inside.next().map(object).unwrap_or_default())];
    for qualifier in inside.next().into_iter().flat_map(|all| parts(all.value())) {
        let mut inside = parts(qualifier.value());
        let id = inside.next().and_then(|id| id.decode_as::<ObjectIdentifier>().ok());
        let value = inside.next();
        match (id, value) {
            (Some(STATEMENT), Some(value)) => lines.push(format!("  CPS: {}", ascii(value.value()))),
            (Some(NOTICE), Some(value)) => {
                lines.push("  User Notice:".to_owned());
                lines.extend(parts(value.value()).flat_map(notice));
            }
            (id, _) => {
                lines.push(format!("  Unknown Qualifier: {}", id.map(|id| id.to_string()).unwrap_or_default()));
            }
        }
    }
    lines.join(LINE_END)
}

/// A part of a notice: a reference or a text.
fn notice(part: AnyRef<'_>) -> Vec<String> {
    if part.tag() != Tag::Sequence {
        return vec![format!("    Explicit Text: {}", text(part))];
    }
    let mut inside = parts(part.value());
    let organization = inside.next().map(text).unwrap_or_default();
    let numbers: Vec<String> = inside
        .next()
        .into_iter()
        .flat_map(|numbers| parts(numbers.value()))
        .map(|number| integer(number.value()))
        .collect();
    let plural = if numbers.len() > 1 { "s" } else { "" };
    vec![format!("    Organization: {organization}"), format!("    Number{plural}: {}", numbers.join(", "))]
}

fn mapping(pair: AnyRef<'_>) -> String {
    joined(parts(pair.value()).map(object), ":")
}

fn policy_constraints(value: AnyRef<'_>) -> String {
    let named = [(0, "Require Explicit Policy"), (1, "Inhibit Policy Mapping")];
    let found =
        named.iter().filter_map(|(tag, name)| Some(format!("{name}:{}", integer(tagged(value, *tag)?.value()))));
    joined(found, ", ")
}

fn authority_key(value: AnyRef<'_>) -> String {
    let key = tagged(value, 0).map(|key| separated(key.value()));
    let issuer = tagged(value, 1).map(|names| joined(parts(names.value()).map(general_name), LINE_END));
    let serial = tagged(value, 2).map(|serial| format!("serial:{}", separated(serial.value())));
    let is_alone = issuer.is_none() && serial.is_none();
    let key = key.map(|key| if is_alone { key } else { format!("keyid:{key}") });
    joined([key, issuer, serial].into_iter().flatten(), LINE_END)
}

fn access(description: AnyRef<'_>) -> String {
    let mut inside = parts(description.value());
    let method = inside.next().map(object).unwrap_or_default();
    format!("{method} - {}", inside.next().map(general_name).unwrap_or_default())
}
