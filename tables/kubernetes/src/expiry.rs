//! The expiry that credentials contain. It is read only after an API server has refused them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use k8s_openapi::jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

/// When the first certificate of a PEM text expires.
pub(crate) fn of_certificate(pem: &[u8]) -> Option<Timestamp> {
    let (_, end) = indago_net::validity(&CertificateDer::from_pem_slice(pem).ok()?)?;
    Timestamp::from_second(end).ok()
}

/// When a JSON Web Token expires: its claim `exp`.
pub(crate) fn of_token(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Timestamp::from_second(claims.exp).ok()
}

/// Base64 that may contain white space.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_say_when_they_end() {
        let certificates = include_bytes!("../../../crates/net/src/certificates.pem");
        assert!(of_certificate(certificates).is_some_and(|end| end.to_string().starts_with("21")));
        assert_eq!(of_certificate(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), None);
        assert_eq!(of_certificate(b"no certificate"), None);
    }

    #[test]
    fn tokens_say_when_they_end() {
        // {"alg":"none"} . {"exp":1795243630} . no signature
        let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTUyNDM2MzB9.";
        assert_eq!(of_token(token), Timestamp::from_second(1_795_243_630).ok());
        for token in ["admin-token", "a.b.c", "", "e30.e30.", "..", "eyJhbGciOiJub25lIn0.{}."] {
            assert_eq!(of_token(token), None, "{token}");
        }
    }
}
