//! TLS: trusted servers, and the client's certificate.

use std::sync::Arc;

use indago_table::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::chain;

/// The trusted servers.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Servers that the machine trusts.
    Machine,
    /// Servers whose certificates these authorities have signed, or are among these.
    Authorities(Authorities),
    /// All servers.
    Anyone,
}

/// Certificates that are trusted in place of the machine's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authorities(Arc<[CertificateDer<'static>]>);

impl Authorities {
    /// The certificates of a PEM text; `name` is its name in errors. Unusable ones are skipped.
    pub fn new(pem: &[u8], name: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let all = certificates(pem, name)?;
        let usable: Vec<_> = all.into_iter().filter(|certificate| roots.add(certificate.clone()).is_ok()).collect();
        if usable.is_empty() {
            return Err(Error::Malformed(format!("{name} contains no usable certificate")));
        }
        Ok(Authorities(usable.into()))
    }
}

/// A client's certificate and key, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, with any intermediate authorities.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// A TLS configuration. Errors name the parts of an identity as in a kubeconfig.
pub fn client_config(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::Malformed(error.to_string()))?;
    let verifier = match trust {
        Trust::Machine => None,
        Trust::Authorities(authorities) => {
            Some(Verifier { algorithms, trusted: Some(Trusted::new(authorities.clone(), provider)?) })
        }
        Trust::Anyone => Some(Verifier { algorithms, trusted: None }),
    };
    let builder = match verifier {
        Some(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        None => builder.with_platform_verifier().map_err(|error| {
            Error::Malformed(format!("the certificate authorities that this machine trusts cannot be used: {error}"))
        })?,
    };
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(&identity.certificate, "`client-certificate`")?;
    let key = PrivateKeyDer::from_pem_slice(&identity.key)
        .map_err(|error| Error::Malformed(format!("`client-key` contains no private key in PEM: {error}")))?;
    let unfit = |error| Error::Malformed(format!("`client-certificate` and `client-key` cannot be used: {error}"));
    builder.with_client_auth_cert(chain, key).map_err(unfit)
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>> {
    // Other content of the file, such as keys, is ignored.
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    if all.is_empty() {
        return Err(Error::Malformed(format!("{name} contains no certificate in PEM")));
    }
    Ok(all)
}

/// Verifies servers against the configured trust.
#[derive(Debug)]
struct Verifier {
    algorithms: WebPkiSupportedAlgorithms,
    /// `None`: every server is trusted.
    trusted: Option<Trusted>,
}

/// Trusts servers that the configured authorities have signed, and servers whose own certificate is configured. In both
/// cases the server's certificate may be an authority's, as in Go and OpenSSL.
#[derive(Debug)]
struct Trusted {
    by_authority: Arc<WebPkiServerVerifier>,
    configured: Authorities,
}

impl Trusted {
    fn new(configured: Authorities, provider: Arc<CryptoProvider>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(configured.0.iter().cloned());
        let by_authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Trusted { by_authority: by_authority.map_err(|error| Error::Malformed(error.to_string()))?, configured })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        shown: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(Trusted { by_authority, configured }) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = by_authority.verify_server_cert(certificate, shown, name, ocsp_response, now);
        // Among others, webpki reports a server certificate that is an authority's as `Other`.
        let Err(rustls::Error::InvalidCertificate(
            why @ (CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_)),
        )) = verified
        else {
            return verified;
        };
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let is_authority = why.to_string().contains("CaUsedAsEndEntity");
        if configured.0.contains(certificate) {
            let (begin, end) = chain::validity(certificate).ok_or(CertificateError::BadEncoding)?;
            if now < begin {
                return Err(CertificateError::NotValidYet.into());
            }
            if now > end {
                return Err(CertificateError::Expired.into());
            }
        } else if is_authority {
            chain::check(certificate, shown, &configured.0, now, &self.algorithms)?;
        } else {
            return Err(why.into());
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match self.trusted {
            Some(_) => verify_tls12_signature(message, certificate, signature, &self.algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match self.trusted {
            Some(_) => verify_tls13_signature(message, certificate, signature, &self.algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Created with openssl, valid for a hundred years: an authority's certificate; a server's, signed by it; the same
    /// with CA:TRUE; and a self-signed server's with CA:TRUE. The servers' are for 127.0.0.1 and api.test.
    const CERTIFICATES: &str = include_str!("certificates.pem");
    const NOW: u64 = 1_900_000_000;
    const HUNDRED_YEARS: u64 = 3_155_760_000;

    fn pem(position: usize) -> String {
        let all: Vec<&str> = CERTIFICATES.split_inclusive("-----END CERTIFICATE-----\n").collect();
        all[position].to_owned()
    }

    /// The verdict on a server that sends a certificate, if `trusted` is trusted.
    fn verdict(trusted: &str, shown: usize, name: &str, now: u64) -> String {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let trusted = Authorities::new(trusted.as_bytes(), "`x`").unwrap();
        let verifier = Verifier { algorithms, trusted: Some(Trusted::new(trusted, provider).unwrap()) };
        let shown = CertificateDer::from_pem_slice(pem(shown).as_bytes()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        let verdict = verifier.verify_server_cert(&shown, &[], &name.to_owned().try_into().unwrap(), &[], now);
        verdict.map_or_else(|error| error.to_string(), |_| "trusted".to_owned())
    }

    #[test]
    fn a_servers_own_certificate_is_trusted_as_an_authority() {
        let [root, leaf, leaf_of_authority, own] = [0, 1, 2, 3].map(pem);
        let both = [&*own, &*leaf].concat();
        // kubectl 1.32 connects in all of these cases.
        for (trusted, shown) in [
            (&root, 1),
            (&root, 2),
            (&leaf, 1),
            (&leaf_of_authority, 2),
            (&own, 3),
            (&both, 1),
            (&both, 3),
            (&format!("{root}{own}"), 1),
        ] {
            assert_eq!(verdict(trusted, shown, "127.0.0.1", NOW), "trusted", "{shown}");
            assert_eq!(verdict(trusted, shown, "api.test", NOW), "trusted", "{shown}");
            // The certificate must still be for that name and time.
            let told = verdict(trusted, shown, "other.test", NOW);
            assert!(told.contains("not valid for name"), "{shown}: {told}");
            let told = verdict(trusted, shown, "127.0.0.1", NOW + HUNDRED_YEARS);
            assert!(told.contains("expired"), "{shown}: {told}");
            let told = verdict(trusted, shown, "127.0.0.1", 1_000_000_000);
            assert!(told.contains("not valid yet"), "{shown}: {told}");
        }
        // Another certificate of the same authority, or an unknown one.
        for (trusted, shown) in [(&leaf, 2), (&leaf_of_authority, 1), (&own, 1), (&leaf, 3), (&leaf, 0)] {
            let told = verdict(trusted, shown, "127.0.0.1", NOW);
            assert!(told.contains("UnknownIssuer"), "{shown}: {told}");
        }
    }

    #[test]
    fn one_bad_certificate_costs_no_other() {
        let bad = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        assert_eq!(verdict(&format!("{bad}{}", pem(0)), 1, "api.test", NOW), "trusted");
        for (text, told) in [("", "`x` contains no certificate in PEM"), (bad, "`x` contains no usable certificate")] {
            assert_eq!(Authorities::new(text.as_bytes(), "`x`").unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn a_client_certificate_needs_its_key() {
        let identity = |certificate: String, key: &str| Identity { certificate: certificate.into(), key: key.into() };
        for (identity, told) in [
            (identity(pem(1), "no key"), "`client-key` contains no private key in PEM"),
            (identity(String::new(), "no key"), "`client-certificate` contains no certificate in PEM"),
        ] {
            let error = client_config(&Trust::Anyone, Some(&identity)).unwrap_err();
            assert!(error.to_string().starts_with(told), "{error}");
        }
    }
}
