//! The expiry that credentials contain. It is read only after an API server has refused them.

use k8s_openapi::ByteString;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// When the first certificate of a PEM text expires.
pub(crate) fn of_certificate(pem: &str) -> Option<Timestamp> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (text, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let (_, end) = indago_net::validity(&decoded(text)?)?;
    Timestamp::from_second(end).ok()
}

/// When a JSON Web Token expires: its claim `exp`.
pub(crate) fn of_token(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = token.split('.').nth(1)?;
    // The alphabet for URLs, without padding.
    let mut payload = payload.replace('-', "+").replace('_', "/");
    payload.extend(std::iter::repeat_n('=', (4 - payload.len() % 4) % 4));
    let claims: Claims = serde_json::from_slice(&decoded(&payload)?).ok()?;
    Timestamp::from_second(claims.exp).ok()
}

/// Base64 that may contain white space.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    serde_json::from_value::<ByteString>(text.into()).ok().map(|bytes| bytes.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_say_when_they_end() {
        let certificates = include_str!("../../../crates/net/src/certificates.pem");
        assert!(of_certificate(certificates).is_some_and(|end| end.to_string().starts_with("21")));
        assert_eq!(of_certificate("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), None);
        assert_eq!(of_certificate("no certificate"), None);
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
