//! `curl_certificate`: one row per TLS server that a query names, with its certificate.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, Stream, StreamExt};
use indago_net::{Trust, client_config};
use indago_table::prelude::*;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::source::certificate_text::Details;
use crate::source::web::causes;

/// Certificates that TLS servers show.
///
/// The program connects to each server and ends the connection after the handshake, without a request. The certificate
/// need not be trusted or valid. Extensions are as OpenSSL prints them, with `;` between lines; a column is empty if
/// the certificate lacks its extension. A server that cannot be reached has no row, with a warning.
#[derive(Debug, Default, Table)]
#[table(name = "curl_certificate", platforms("linux"), stream, identity(hostname, sha256_fingerprint))]
#[example(
    "When the certificate of a server ends.",
    "SELECT common_name, valid_to, has_expired FROM curl_certificate WHERE hostname = '127.0.0.1:9'"
)]
pub struct CurlCertificate {
    /// Host name or address, optionally with a port: `example.org`, `127.0.0.1:8443`, `[::1]:8443`. The default is 443.
    #[column(required)]
    hostname: String,
    /// Common name of the subject.
    common_name: Option<String>,
    /// Organization of the subject.
    organization: Option<String>,
    /// Organizational unit of the subject.
    organization_unit: Option<String>,
    /// Serial number, in hexadecimal.
    #[column(collate = nocase)]
    serial_number: String,
    /// Common name of the issuer.
    issuer_common_name: Option<String>,
    /// Organization of the issuer.
    issuer_organization: Option<String>,
    /// Organizational unit of the issuer.
    issuer_organization_unit: Option<String>,
    /// Start of its validity, such as `Jan  1 00:00:00 2030 GMT`.
    valid_from: String,
    /// End of its validity.
    valid_to: String,
    /// SHA-256 fingerprint, in hexadecimal.
    #[column(collate = nocase)]
    sha256_fingerprint: String,
    /// SHA-1 fingerprint, in hexadecimal.
    #[column(collate = nocase)]
    sha1_fingerprint: String,
    /// Version of the certificate: usually 3.
    version: i64,
    /// Algorithm of the signature, such as `RSA-SHA256`.
    signature_algorithm: String,
    /// Signature, in hexadecimal with colons.
    signature: String,
    /// Identifier of its key.
    #[column(collate = nocase)]
    subject_key_identifier: String,
    /// Identifier of its issuer's key.
    #[column(collate = nocase)]
    authority_key_identifier: String,
    /// Uses of its key.
    key_usage: String,
    /// Further uses of its key.
    extended_key_usage: String,
    /// Policies.
    policies: String,
    /// Alternative names of the subject.
    subject_alternative_names: String,
    /// Alternative names of the issuer.
    issuer_alternative_names: String,
    /// Where information of the issuer is found.
    info_access: String,
    /// Where information of the subject is found.
    subject_info_access: String,
    /// Policies of the issuer that equal policies of the subject.
    policy_mappings: String,
    /// Whether it has expired: 1 or 0.
    #[column(volatile)]
    has_expired: i64,
    /// Whether it may sign certificates, and how many levels of authorities may be below it.
    basic_constraint: String,
    /// Names that certificates below it may have.
    name_constraints: String,
    /// How policies of certificates below it are restricted.
    policy_constraints: String,
    /// Set `= 1` to fill `pem`.
    #[column(index, selects, hidden)]
    dump_certificate: i64,
    /// Timeout in seconds; 4 unless the query names another, up to 60.
    #[column(index, selects, hidden)]
    timeout: i64,
    /// The certificate in PEM; NULL unless the query has `dump_certificate = 1`.
    pem: Option<String>,
}

const DEFAULT_TIMEOUT: i64 = 4;
const LONGEST_TIMEOUT: i64 = 60;

impl RowStream for CurlCertificate {
    type Part = &'static str;

    fn parts(_: &Scan<Self>) -> Result<Vec<&'static str>> {
        Ok(vec!["web"])
    }

    fn rows<'a>(scan: &'a Scan<Self>, _: &'a &'static str) -> impl Stream<Item = Result<Self>> + Send + 'a {
        let live = scan.sys().require_live("TLS servers");
        let mut hosts = scan.keys(Self::HOSTNAME).filter(|_| live.is_ok()).unwrap_or_default();
        hosts.sort_unstable();
        hosts.dedup();
        let timeout = scan.key(Self::TIMEOUT).unwrap_or(DEFAULT_TIMEOUT);
        let limit = timeout.clamp(1, LONGEST_TIMEOUT).unsigned_abs();
        let dump = scan.key(Self::DUMP_CERTIFICATE).unwrap_or_default();
        let of_host = move |hostname: String| async move {
            let shown = || async { Ok(certificate(&hostname, Duration::from_secs(limit)).await) };
            let found = scan.call("curl_certificate", &hostname, shown).await.flatten();
            match found.and_then(|der| row(scan.sys(), hostname.clone(), &der)) {
                Ok(row) => Some(Ok(CurlCertificate {
                    dump_certificate: dump,
                    timeout,
                    pem: row.pem.filter(|_| dump == 1),
                    ..row
                })),
                Err(error) if error.ends_query() => Some(Err(error)),
                Err(error) => {
                    scan.report(&hostname, &error);
                    None
                }
            }
        };
        let rows = scan.in_rounds(hosts, of_host).flat_map(stream::iter);
        stream::iter(live.err().map(Err)).chain(rows).boxed()
    }
}

/// The certificate that a server shows, in DER.
async fn certificate(hostname: &str, limit: Duration) -> Result<Vec<u8>> {
    let failed = |message: String| Error::Io { what: hostname.to_owned(), message };
    let (host, port) = address(hostname).ok_or_else(|| Error::Malformed(format!("{hostname} is not a host name")))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
    let connector = TlsConnector::from(Arc::new(client_config(&Trust::Anyone, None)?));
    let handshake = async {
        let stream = TcpStream::connect((host, port)).await.map_err(|error| failed(error.to_string()))?;
        let stream = connector.connect(name, stream).await.map_err(|error| failed(causes(&error)))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|shown| Some(shown.first()?.to_vec()));
        shown.ok_or_else(|| failed("the server shows no certificate".to_owned()))
    };
    let late = |_| failed(format!("no TLS connection within {limit:?}"));
    tokio::time::timeout(limit, handshake).await.map_err(late)?
}

/// Host and port of a name.
fn address(hostname: &str) -> Option<(&str, u16)> {
    const HTTPS: u16 = 443;
    if let Some(rest) = hostname.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return Some((host, if port.is_empty() { HTTPS } else { port.strip_prefix(':')?.parse().ok()? }));
    }
    match hostname.split_once(':') {
        // An IPv6 address without brackets.
        Some((_, rest)) if rest.contains(':') => Some((hostname, HTTPS)),
        Some((host, "")) => Some((host, HTTPS)),
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((hostname, HTTPS)),
    }
    .filter(|(host, _)| !host.is_empty())
}

fn row(sys: &Sys, hostname: String, der: &[u8]) -> Result<CurlCertificate> {
    let details = Details::parse(der)?;
    let extension = |id: &str| details.extension(id);
    Ok(CurlCertificate {
        hostname,
        common_name: details.subject_part("2.5.4.3"),
        organization: details.subject_part("2.5.4.10"),
        organization_unit: details.subject_part("2.5.4.11"),
        serial_number: details.facts.serial.clone(),
        issuer_common_name: details.issuer_part("2.5.4.3"),
        issuer_organization: details.issuer_part("2.5.4.10"),
        issuer_organization_unit: details.issuer_part("2.5.4.11"),
        valid_from: date(details.facts.not_before),
        valid_to: date(details.facts.not_after),
        sha256_fingerprint: details.sha256(der),
        sha1_fingerprint: details.facts.sha1.clone(),
        version: details.version(),
        signature_algorithm: details.signature_algorithm(),
        signature: details.signature(),
        subject_key_identifier: extension("2.5.29.14"),
        authority_key_identifier: extension("2.5.29.35"),
        key_usage: extension("2.5.29.15"),
        extended_key_usage: extension("2.5.29.37"),
        policies: extension("2.5.29.32"),
        subject_alternative_names: extension("2.5.29.17"),
        issuer_alternative_names: extension("2.5.29.18"),
        info_access: extension("1.3.6.1.5.5.7.1.1"),
        subject_info_access: extension("1.3.6.1.5.5.7.1.11"),
        policy_mappings: extension("2.5.29.33"),
        has_expired: (details.facts.not_after < sys.now().seconds()).into(),
        basic_constraint: extension("2.5.29.19"),
        name_constraints: extension("2.5.29.30"),
        policy_constraints: extension("2.5.29.36"),
        dump_certificate: 0,
        timeout: 0,
        pem: Some(pem(der)),
    })
}

/// A time as OpenSSL prints it.
fn date(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0)
        .map(|time| time.format("%b %e %H:%M:%S %Y GMT").to_string())
        .unwrap_or_default()
}

fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut lines = vec!["-----BEGIN CERTIFICATE-----"];
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        lines.push(line);
        rest = after;
    }
    lines.push("-----END CERTIFICATE-----\n");
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_a_port() {
        for (name, expected) in [
            ("a.example", Some(("a.example", 443))),
            ("a.example:8443", Some(("a.example", 8443))),
            ("a.example:", Some(("a.example", 443))),
            ("[::1]:8443", Some(("::1", 8443))),
            ("[::1]", Some(("::1", 443))),
            ("::1", Some(("::1", 443))),
            ("a:70000", None),
            ("a:b", None),
            ("[::1", None),
            ("[::1]x", None),
            ("", None),
            (":443", None),
        ] {
            assert_eq!(address(name), expected, "{name}");
        }
    }
}
