//! TLS to the broker: its certificate is checked by name, and by the authorities of `mqtt.ca` or the system's.

use rumqttc::{ConnectReturnCode, ConnectionError, TlsConfiguration, TlsError};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::sync::Arc;

/// Authorities that may have signed the broker's certificate.
#[derive(Clone)]
pub struct Authorities(Arc<ClientConfig>);

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities")
    }
}

impl Authorities {
    /// Those of a PEM file's text, one certificate or more; the error says what is wrong with it.
    pub fn parse(pem: &[u8]) -> Result<Authorities, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| format!("does not read as PEM ({e})"))?;
            roots.add(certificate).map_err(|e| format!("holds a certificate that is none of an authority ({e})"))?;
        }
        if roots.is_empty() {
            return Err("holds no certificate: it must be PEM, -----BEGIN CERTIFICATE-----".to_owned());
        }
        Ok(Authorities(Arc::new(builder()?.with_root_certificates(roots).with_no_client_auth())))
    }

    /// The system's.
    pub fn of_system() -> Result<Authorities, String> {
        let verifier = rustls_platform_verifier::Verifier::new(Arc::new(aws_lc_rs::default_provider()));
        let verifier = verifier.map_err(|e| format!("this system has no certificates of authorities ({e}): set mqtt.ca"))?;
        let config = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
        Ok(Authorities(Arc::new(config)))
    }

    /// For the client.
    pub(super) fn configuration(&self) -> TlsConfiguration {
        TlsConfiguration::Rustls(self.0.clone())
    }
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())
}

/// Why there is no connection, with what to look at.
pub(super) fn words(error: &ConnectionError) -> String {
    let ConnectionError::Tls(tls) = error else { return error.to_string() };
    let inner = match tls {
        TlsError::Io(io) => io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        TlsError::TLS(inner) => Some(inner),
        _ => None,
    };
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => format!(
            "the broker's certificate is not accepted ({why:?}): mqtt.ca must name the authority that signed it (without mqtt.ca the \
             system's must know that), and mqtt.url a name or address that stands in it"
        ),
        _ => format!("{tls}: mqtts:// needs a broker that speaks TLS at that port; look at mqtt.url"),
    }
}

/// The same, and what to do whatever it is.
pub(super) fn remedy(error: &ConnectionError) -> String {
    let words = words(error);
    match error {
        ConnectionError::Tls(_) => words,
        ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized) => {
            format!("{words}: mend mqtt.username and mqtt.password, or the login in mqtt.url")
        }
        ConnectionError::ConnectionRefused(ConnectReturnCode::BadClientId) => {
            format!(
                "{words}: the broker takes certain client ids only, and this look has one of its own; see whether `kachi serve` is let in"
            )
        }
        ConnectionError::ConnectionRefused(_) => format!("{words}: look at the broker"),
        _ => format!("{words}: start the broker there, or mend mqtt.url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_authority_is_told() {
        let says = |pem: &str| Authorities::parse(pem.as_bytes()).err().unwrap_or_default();
        assert!(says("").starts_with("holds no certificate"), "{}", says(""));
        let torn = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(says(torn).starts_with("does not read as PEM"), "{}", says(torn));
        let noise = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(says(noise).starts_with("holds a certificate that is none of an authority"), "{}", says(noise));
    }
}
