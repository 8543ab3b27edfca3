//! `secureboot_certificates`: one row per certificate that the firmware checks boot loaders with.

use indago_table::prelude::*;

use crate::source::certificate::Certificate;
use crate::source::efi;
use crate::source::held::HeldList;

/// Certificates of the UEFI firmware: those that boot loaders may be signed with, and those that are revoked.
#[derive(Debug, Default, Table)]
#[table(name = "secureboot_certificates", platforms("linux"), rows = 10, identity(path, sha1))]
#[example(
    "Who may sign boot loaders.",
    "SELECT common_name, not_valid_after FROM secureboot_certificates WHERE revoked = 0"
)]
pub struct SecureBootCertificate {
    /// Common name of the subject.
    common_name: String,
    /// Subject.
    subject: String,
    /// Issuer.
    issuer: String,
    /// First time at which it is valid, in seconds since 1970.
    not_valid_before: String,
    /// Last time at which it is valid, in seconds since 1970.
    not_valid_after: String,
    /// SHA-1 of the certificate, in hexadecimal.
    #[column(collate = nocase)]
    sha1: String,
    /// Serial number, in hexadecimal.
    #[column(collate = nocase)]
    serial: String,
    /// Whether what it signed is refused: 1 or 0.
    revoked: i64,
    /// Path of the variable's file.
    path: String,
    /// Whether it may sign other certificates: 1 or 0.
    is_ca: i64,
    /// Whether it signed itself: 1 or 0.
    self_signed: i64,
    /// What the key may be used for.
    key_usage: String,
    /// ID of the issuer's key, in hexadecimal.
    #[column(collate = nocase)]
    authority_key_id: String,
    /// ID of the key, in hexadecimal.
    #[column(collate = nocase)]
    subject_key_id: String,
    /// Algorithm of the signature.
    signing_algorithm: String,
    /// Algorithm of the key.
    key_algorithm: String,
    /// Bits of the key, or name of its curve.
    key_strength: String,
}

/// Vendor of the variables with keys for images.
const IMAGES: &str = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";

impl Rows for SecureBootCertificate {
    fn rows(scan: &Scan<Self>) -> Result<impl Iterator<Item = Self>> {
        efi::require(scan.sys())?;
        let mut rows = HeldList::new(scan.sys());
        for (name, revoked) in [("db", 0), ("dbx", 1)] {
            let path = efi::path(name, IMAGES);
            let report = |error: Error| scan.report(name, &Error::Malformed(format!("{path}: {error}")));
            let value = match efi::variable(scan.sys(), name, IMAGES) {
                Ok(value) => value.unwrap_or_default(),
                Err(error) => {
                    scan.report(name, &error);
                    continue;
                }
            };
            let (certificates, error) = efi::certificates(&value);
            for der in certificates {
                match Certificate::parse(der) {
                    Ok(certificate) => rows.add(row(certificate, &path, revoked))?,
                    Err(error) => report(error),
                }
            }
            if let Some(error) = error {
                report(error);
            }
        }
        Ok(rows.into_iter())
    }
}

fn row(certificate: Certificate, path: &str, revoked: i64) -> SecureBootCertificate {
    SecureBootCertificate {
        common_name: certificate.common_name,
        subject: certificate.subject,
        issuer: certificate.issuer,
        not_valid_before: certificate.not_before.to_string(),
        not_valid_after: certificate.not_after.to_string(),
        sha1: certificate.sha1,
        serial: certificate.serial,
        revoked,
        path: path.to_owned(),
        is_ca: certificate.is_authority.into(),
        self_signed: certificate.is_self_signed.into(),
        key_usage: certificate.key_usage,
        authority_key_id: certificate.authority_key_id,
        subject_key_id: certificate.subject_key_id,
        signing_algorithm: certificate.signing_algorithm,
        key_algorithm: certificate.key_algorithm,
        key_strength: certificate.key_strength,
    }
}
