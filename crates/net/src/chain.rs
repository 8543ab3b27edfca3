//! Checks of X.509 certificates that webpki lacks: validity periods, and chains whose server certificate is an
//! authority's.

use std::cell::Cell;

use chrono::NaiveDateTime;
use rustls::CertificateError;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Object identifiers of extensions.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
const POLICIES: &[u8] = &[0x55, 0x1d, 32];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// Uses of a key, as listed in the extended key usage.
const SERVERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY_USE: &[u8] = &[0x55, 0x1d, 37, 0];

/// Most authorities between the server's certificate and a trusted one; most certificates that are used of those that a
/// server sends.
const DEEPEST: usize = 6;
const MOST_SHOWN: usize = 8;
/// Limit of signature checks per server.
const MOST_CHECKS: usize = 100;

/// Start and end of a certificate's validity, in seconds since 1970.
pub fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    Certificate::parse(certificate).map(|certificate| certificate.validity)
}

/// Checks the chain of a server certificate that is also an authority's (`CA:TRUE`). webpki refuses these; Go and
/// OpenSSL, and so kubectl and the AWS CLI, accept them. The caller checks the server's name.
pub(crate) fn check(
    server: &CertificateDer<'_>,
    shown: &[CertificateDer<'_>],
    trusted: &[CertificateDer<'static>],
    now: i64,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<(), CertificateError> {
    let server = Certificate::parse(server).ok_or(CertificateError::BadEncoding)?;
    if now < server.validity.0 {
        return Err(CertificateError::NotValidYet);
    }
    if now > server.validity.1 {
        return Err(CertificateError::Expired);
    }
    if !server.is_for_servers() {
        return Err(CertificateError::InvalidPurpose);
    }
    let shown = &shown[..shown.len().min(MOST_SHOWN)];
    let (shown, trusted) = (parsed(shown), parsed(trusted));
    let search = Search { shown, trusted, now, algorithms, checks: Cell::new(MOST_CHECKS) };
    if search.leads_to_trusted(&server, 0) { Ok(()) } else { Err(CertificateError::UnknownIssuer) }
}

fn parsed<'a>(all: &'a [CertificateDer<'_>]) -> Vec<Certificate<'a>> {
    all.iter().filter_map(|der| Certificate::parse(der)).collect()
}

struct Search<'a> {
    shown: Vec<Certificate<'a>>,
    trusted: Vec<Certificate<'a>>,
    now: i64,
    algorithms: &'a WebPkiSupportedAlgorithms,
    /// Signature checks left. Without a limit, an untrusted server could choose their number.
    checks: Cell<usize>,
}

impl Search<'_> {
    /// Whether a certificate is signed by a trusted authority, directly or through others.
    fn leads_to_trusted(&self, certificate: &Certificate<'_>, below: usize) -> bool {
        let is_issuer = |issuer: &&Certificate<'_>| {
            issuer.subject == certificate.issuer
                && issuer.is_authority_over(below, self.now)
                && self.may_check()
                && issuer.has_signed(certificate, self.algorithms)
        };
        self.trusted.iter().any(|issuer| is_issuer(&issuer))
            || below < DEEPEST
                && self.shown.iter().filter(is_issuer).any(|issuer| self.leads_to_trusted(issuer, below + 1))
    }

    fn may_check(&self) -> bool {
        let left = self.checks.get();
        self.checks.set(left.saturating_sub(1));
        left > 0
    }
}

/// The parts of a certificate that a chain needs.
struct Certificate<'a> {
    /// The signed bytes.
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    validity: (i64, i64),
    key_algorithm: &'a [u8],
    key: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

struct Extension<'a> {
    id: &'a [u8],
    is_critical: bool,
    value: &'a [u8],
}

impl<'a> Certificate<'a> {
    fn parse(der: &'a [u8]) -> Option<Self> {
        let mut whole = Reader(Reader(der).take(SEQUENCE)?);
        let (signed, mut fields) = whole.whole(SEQUENCE)?;
        let algorithm = whole.take(SEQUENCE)?;
        let signature = whole.take(BIT_STRING)?.strip_prefix(&[0])?;
        let _ = fields.take(VERSION);
        fields.take(INTEGER)?;
        if fields.take(SEQUENCE)? != algorithm {
            return None;
        }
        let issuer = fields.take(SEQUENCE)?;
        let mut validity = Reader(fields.take(SEQUENCE)?);
        let validity = (validity.moment()?, validity.moment()?);
        let subject = fields.take(SEQUENCE)?;
        let mut key = Reader(fields.take(SEQUENCE)?);
        let (key_algorithm, key) = (key.take(SEQUENCE)?, key.take(BIT_STRING)?.strip_prefix(&[0])?);
        let mut extensions = Vec::new();
        // Unique identifiers, which are not used in practice, may precede the extensions.
        while let Some((tag, content)) = fields.next() {
            let Some(mut list) = (tag == EXTENSIONS).then(|| Reader(content).take(SEQUENCE).map(Reader)).flatten()
            else {
                continue;
            };
            while !list.0.is_empty() {
                let mut extension = Reader(list.take(SEQUENCE)?);
                let id = extension.take(OBJECT)?;
                let is_critical = extension.take(BOOLEAN).is_some_and(|value| value != [0]);
                extensions.push(Extension { id, is_critical, value: extension.take(OCTET_STRING)? });
            }
        }
        Some(Certificate { signed, algorithm, signature, issuer, subject, validity, key_algorithm, key, extensions })
    }

    fn extension(&self, id: &[u8]) -> Option<&'a [u8]> {
        self.extensions.iter().find(|extension| extension.id == id).map(|extension| extension.value)
    }

    /// Whether all of its extensions allow its use in a server's chain. Name constraints and unknown critical
    /// extensions do not.
    fn is_for_servers(&self) -> bool {
        let known = [KEY_USAGE, ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, POLICIES, EXTENDED_KEY_USAGE];
        let is_understood =
            self.extensions.iter().all(|extension| !extension.is_critical || known.contains(&extension.id));
        let uses = self.extension(EXTENDED_KEY_USAGE).map(|uses| Reader(uses).take(SEQUENCE).map(Reader));
        let serves = uses.is_none_or(|uses| {
            uses.is_some_and(|mut uses| {
                std::iter::from_fn(|| uses.take(OBJECT)).any(|id| [SERVERS, ANY_USE].contains(&id))
            })
        });
        is_understood && serves && self.extension(NAME_CONSTRAINTS).is_none()
    }

    /// Whether it may sign certificates, with `below` authorities below it.
    fn is_authority_over(&self, below: usize, now: i64) -> bool {
        let Some(mut constraints) =
            self.extension(BASIC_CONSTRAINTS).and_then(|text| Reader(text).take(SEQUENCE)).map(Reader)
        else {
            return false;
        };
        let is_authority = constraints.take(BOOLEAN).is_some_and(|value| value != [0]);
        let deepest = constraints.take(INTEGER).map(|value| if let [value] = value { usize::from(*value) } else { 0 });
        // The sixth bit of the key usage: sign certificates. The first byte is the number of unused bits.
        let signs = self.extension(KEY_USAGE).is_none_or(|uses| {
            Reader(uses).take(BIT_STRING).and_then(|bits| bits.get(1)).is_some_and(|bits| bits & 0b100 != 0)
        });
        let is_valid = (self.validity.0..=self.validity.1).contains(&now);
        is_authority && signs && is_valid && deepest.is_none_or(|deepest| below <= deepest) && self.is_for_servers()
    }

    fn has_signed(&self, other: &Certificate<'_>, algorithms: &WebPkiSupportedAlgorithms) -> bool {
        self.subject == other.issuer
            && algorithms.all.iter().any(|algorithm| {
                algorithm.signature_alg_id().as_ref() == other.algorithm
                    && algorithm.public_key_alg_id().as_ref() == self.key_algorithm
                    && algorithm.verify_signature(self.key, other.signed, other.signature).is_ok()
            })
    }
}

/// A reader of DER elements.
///
/// The crate `x509-cert` would take longer to build than the rest of this crate (10 processor seconds, 16 crates, a macro),
/// and reject a certificate for details that a chain does not need.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            length =
                bytes.iter().try_fold(0_usize, |length, byte| length.checked_mul(256)?.checked_add((*byte).into()))?;
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element if it has this tag; otherwise nothing is read.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        match self.next() {
            Some((found, content)) if found == tag => Some(content),
            _ => {
                self.0 = before;
                None
            }
        }
    }

    /// The next element with its header, and its content.
    fn whole(&mut self, tag: u8) -> Option<(&'a [u8], Reader<'a>)> {
        let before = self.0;
        let content = self.take(tag)?;
        Some((&before[..before.len() - self.0.len()], Reader(content)))
    }

    /// `YYMMDDHHMMSSZ`, for the years 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
    fn moment(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let text = std::str::from_utf8(text).ok()?;
        let text = match tag {
            UTC_TIME if text < "5" => format!("20{text}"),
            UTC_TIME => format!("19{text}"),
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        if text.len() != 15 {
            return None;
        }
        Some(NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?.and_utc().timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;

    /// A minimal certificate that ends at a given time.
    fn certificate(tag: u8, end: &str) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let start = wrap(UTC_TIME, b"200101000000Z");
        let validity = wrap(SEQUENCE, &[start, wrap(tag, end.as_bytes())].concat());
        let (none, bits) = (vec![SEQUENCE, 0], wrap(BIT_STRING, &[0, 1]));
        let version = vec![VERSION, 3, 2, 1, 2];
        let key = wrap(SEQUENCE, &[&*none, &*bits].concat());
        let serial = vec![INTEGER, 1, 7];
        let fields = [version, serial, none.clone(), none.clone(), validity, none.clone(), key].concat();
        wrap(SEQUENCE, &[wrap(SEQUENCE, &fields), none, bits].concat())
    }

    #[test]
    fn certificates_say_when_they_end() {
        let end = |tag, end| validity(&certificate(tag, end)).map(|(_, end)| end);
        assert_eq!(end(UTC_TIME, "261121064710Z"), Some(1_795_243_630));
        assert_eq!(end(UTC_TIME, "991231235959Z"), Some(946_684_799));
        assert_eq!(end(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        for (tag, text) in
            [(UTC_TIME, "261121064710"), (UTC_TIME, "26112106471Z"), (UTC_TIME, "269921064710Z"), (4, "261121064710Z")]
        {
            assert_eq!(end(tag, text), None, "{text}");
        }
        // A truncated certificate has no validity.
        let whole = certificate(UTC_TIME, "261121064710Z");
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "{length}");
        }
        assert_eq!(validity(&[SEQUENCE, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
    }

    /// If any byte of a server's certificate is changed, its chain is invalid.
    #[test]
    fn a_changed_certificate_has_no_chain() {
        let all: Vec<_> =
            CertificateDer::pem_slice_iter(include_bytes!("certificates.pem")).map(Result::unwrap).collect();
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        let holds = |server: &[u8]| check(&server.into(), &[], &all[..1], 1_900_000_000, &algorithms).is_ok();
        let server = all[2].to_vec();
        assert!(holds(&server));
        for position in 0..server.len() {
            let mut changed = server.clone();
            changed[position] ^= 1;
            assert!(!holds(&changed), "{position}");
        }
    }
}
