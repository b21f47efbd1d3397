//! TLS of FTPS: the certificate is checked by name and authority, or is the very one whose SHA-256 the account gave.

use super::Step;
use kachi_domain::cdr::delivery::certificate_digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use suppaftp::tokio::AsyncRustlsConnector;
use suppaftp::tokio_rustls::TlsConnector;

/// A connector for one login: its data connections resume the control connection's session, as servers ask.
pub fn connector(fingerprint: &str) -> Step<AsyncRustlsConnector> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if fingerprint.is_empty() {
        let by_authority = rustls_platform_verifier::Verifier::new(provider.clone());
        Arc::new(by_authority.map_err(|e| format!("this system has no certificates of authorities: {e}"))?)
    } else {
        let digest = certificate_digest(fingerprint).ok_or("the certificate's fingerprint does not read")?;
        Arc::new(Pinned { digest, provider: provider.clone() })
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(AsyncRustlsConnector::from(TlsConnector::from(Arc::new(config))))
}

/// Accepts one certificate, whoever signed it; that the server holds its key is proved as ever.
#[derive(Debug)]
struct Pinned {
    digest: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let digest = Sha256::digest(certificate);
        if digest[..] == self.digest {
            return Ok(ServerCertVerified::assertion());
        }
        let shown: Vec<String> = digest.iter().map(|b| format!("{b:02x}")).collect();
        Err(Error::General(format!("the server's certificate has another fingerprint: {}", shown.concat())))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
