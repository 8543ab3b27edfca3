//! `certificates`: one row per certificate of the system's bundles, or of the files that a query names.

use indago_table::prelude::*;

use crate::source::certificate::{self, Certificate as Facts};

/// The files of the trusted authorities of Fedora's and Debian's families.
const BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// X.509 certificates that the host trusts, or that a file has.
///
/// Without a constraint on `path`, the rows are the certificates of the system's bundles:
/// `/etc/pki/tls/certs/ca-bundle.crt` and `/etc/ssl/certs/ca-certificates.crt`. With `path = ` or a join, they are
/// those of the named files, which have one or several certificates in PEM, or one in DER. A malformed entry is
/// reported, and the other entries of its file have rows. Names of algorithms, curves and attributes are OpenSSL's; an
/// object that OpenSSL does not know has its number.
#[derive(Debug, Default, Table)]
#[table(name = "certificates", platforms("linux"), rows = 150, identity(path, sha1), namespaces)]
#[example(
    "Trusted authorities whose certificate has expired.",
    "SELECT common_name, datetime(not_valid_after, 'unixepoch') AS ended FROM certificates \
     WHERE CAST(not_valid_after AS INTEGER) < unixepoch()"
)]
#[example(
    "Certificates in a file.",
    "SELECT subject2, issuer2, serial FROM certificates WHERE path = '/etc/ssl/cert.pem'"
)]
pub struct Certificate {
    /// First common name of the subject; empty if it has none.
    common_name: String,
    /// Subject, as `/C=US/O=Name`. Other characters than ASCII's printable ones are `\xHH` for each byte.
    subject: String,
    /// Subject, as `C = US, O = Name`. Other characters than ASCII's printable ones are `\HH` for each byte of UTF-8.
    subject2: String,
    /// Issuer, in the form of `subject`.
    issuer: String,
    /// Issuer, in the form of `subject2`.
    issuer2: String,
    /// Whether it can sign other certificates: 1 or 0.
    ca: i64,
    /// Whether it names itself as its issuer: 1 or 0. Its signature is not checked.
    self_signed: i64,
    /// Start of its validity, in seconds since 1970, as text.
    not_valid_before: String,
    /// End of its validity, in seconds since 1970, as text.
    not_valid_after: String,
    /// Algorithm of its signature, such as `sha256WithRSAEncryption`.
    signing_algorithm: String,
    /// Algorithm of its key, such as `rsaEncryption` or `id-ecPublicKey`.
    key_algorithm: String,
    /// Size of an RSA or DSA key in bits, or the name of an elliptic curve; empty for other keys.
    key_strength: String,
    /// Uses of its key, such as `CRL Sign, Key Cert Sign`; empty without that extension.
    key_usage: String,
    /// Identifier of its key, in hexadecimal; empty without that extension.
    #[column(collate = nocase)]
    subject_key_id: String,
    /// Identifier of its issuer's key, in hexadecimal; empty without that extension.
    #[column(collate = nocase)]
    authority_key_id: String,
    /// SHA-1 fingerprint, in hexadecimal.
    #[column(collate = nocase)]
    sha1: String,
    /// File that has it.
    #[column(index, extends)]
    path: String,
    /// Serial number, in hexadecimal.
    #[column(collate = nocase)]
    serial: String,
}

impl Rows for Certificate {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        let sys = scan.sys();
        let mut paths = match scan.keys(Self::PATH) {
            Some(paths) => paths,
            None => {
                let present: Vec<String> =
                    BUNDLES.iter().filter(|path| sys.exists(path)).map(ToString::to_string).collect();
                if present.is_empty() {
                    let what = format!("no bundle of certificates ({} and {} are missing)", BUNDLES[0], BUNDLES[1]);
                    return Err(Error::Absent(what));
                }
                present
            }
        };
        paths.sort_unstable();
        paths.dedup();
        let of_file = move |path: String| {
            let found = match sys.read(&path) {
                Ok(bytes) => certificate::certificates(&path, &bytes),
                Err(error) => vec![Err(error)],
            };
            let accept = |facts: Result<Facts>| facts.inspect_err(|error| scan.report("certificates", error)).ok();
            let facts: Vec<Facts> = found.into_iter().filter_map(accept).collect();
            facts.into_iter().map(move |facts| row(path.clone(), facts))
        };
        Ok(paths.into_iter().flat_map(of_file))
    }
}

fn row(path: String, facts: Facts) -> Certificate {
    Certificate {
        common_name: facts.common_name,
        subject: facts.subject,
        subject2: facts.subject2,
        issuer: facts.issuer,
        issuer2: facts.issuer2,
        ca: facts.is_authority.into(),
        self_signed: facts.is_self_signed.into(),
        not_valid_before: facts.not_before.to_string(),
        not_valid_after: facts.not_after.to_string(),
        signing_algorithm: facts.signing_algorithm,
        key_algorithm: facts.key_algorithm,
        key_strength: facts.key_strength,
        key_usage: facts.key_usage,
        subject_key_id: facts.subject_key_id,
        authority_key_id: facts.authority_key_id,
        sha1: facts.sha1,
        path,
        serial: facts.serial,
    }
}
