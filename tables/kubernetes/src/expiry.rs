//! When credentials expire, as far as they say so themselves: asked only after an API server has refused them.

use k8s_openapi::ByteString;
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// When the first certificate of a PEM text expires.
pub(crate) fn of_certificate(pem: &str) -> Option<Timestamp> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (text, _) = rest.split_once("-----END CERTIFICATE-----")?;
    not_after(&decoded(text)?)
}

/// When a JSON Web Token expires: its claim `exp`.
pub(crate) fn of_token(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = token.split('.').nth(1)?;
    // The alphabet for URLs, without the padding.
    let mut payload = payload.replace('-', "+").replace('_', "/");
    payload.extend(std::iter::repeat_n('=', (4 - payload.len() % 4) % 4));
    let claims: Claims = serde_json::from_slice(&decoded(&payload)?).ok()?;
    Timestamp::from_second(claims.exp).ok()
}

/// Base64, whatever white space is in it.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    serde_json::from_value::<ByteString>(text.into()).ok().map(|bytes| bytes.0)
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of an X.509 certificate's validity.
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    validity(certificate).map(|(_, end)| end)
}

/// Begin and end of an X.509 certificate's validity.
pub(crate) fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    // An optional version, then serial number, algorithm and issuer.
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    for expected in [INTEGER, SEQUENCE, SEQUENCE] {
        let (tag, _, rest) = element(fields)?;
        if tag != expected {
            return None;
        }
        fields = rest;
    }
    let (_, validity, _) = element(fields)?;
    let (begin_tag, begin, rest) = element(validity)?;
    let (end_tag, end, _) = element(rest)?;
    Some((moment(begin_tag, std::str::from_utf8(begin).ok()?)?, moment(end_tag, std::str::from_utf8(end).ok()?)?))
}

/// The first element of DER data: its tag, its content, and what comes after it.
fn element(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = data.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        length = bytes.iter().try_fold(0_usize, |length, byte| Some(length.checked_mul(256)? + usize::from(*byte)))?;
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ`, of the years 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        UTC_TIME if text < "5" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let digits = text.strip_suffix('Z').filter(|digits| digits.len() == 14)?;
    let part = |range: std::ops::Range<usize>| digits.get(range);
    let [date, time] =
        [[part(0..4)?, part(4..6)?, part(6..8)?].join("-"), [part(8..10)?, part(10..12)?, part(12..14)?].join(":")];
    format!("{date}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a certificate that ends at a time: what stands before it is as short as it can be.
    fn certificate(tag: u8, end: &str) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let start = wrap(UTC_TIME, b"200101000000Z");
        let validity = wrap(SEQUENCE, &[start, wrap(tag, end.as_bytes())].concat());
        let fields =
            [vec![VERSION, 3, 2, 1, 2], vec![INTEGER, 1, 7], vec![SEQUENCE, 0], vec![SEQUENCE, 0], validity].concat();
        wrap(SEQUENCE, &wrap(SEQUENCE, &fields))
    }

    #[test]
    fn certificates_say_when_they_end() {
        let shown = |tag, end| not_after(&certificate(tag, end)).map(|time| time.to_string());
        assert_eq!(shown(UTC_TIME, "261121064710Z").as_deref(), Some("2026-11-21T06:47:10Z"));
        assert_eq!(shown(UTC_TIME, "991231235959Z").as_deref(), Some("1999-12-31T23:59:59Z"));
        assert_eq!(shown(GENERALIZED_TIME, "20500101000000Z").as_deref(), Some("2050-01-01T00:00:00Z"));
        for (tag, end) in
            [(UTC_TIME, "261121064710"), (UTC_TIME, "26112106471Z"), (UTC_TIME, "269921064710Z"), (4, "261121064710Z")]
        {
            assert_eq!(shown(tag, end), None, "{end}");
        }
        // Cut anywhere, it says nothing.
        let whole = certificate(UTC_TIME, "261121064710Z");
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "{length}");
        }
        assert_eq!(not_after(&[SEQUENCE, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
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
