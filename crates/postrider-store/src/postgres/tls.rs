//! How far a connection to the database is encrypted and verified, in libpq's words: `sslmode`,
//! `sslrootcert`, `sslcert` and `sslkey`.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{BoxError, private};

/// What a URL says of TLS; texts as they stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) mode: Option<String>,
    /// A file, or `system`.
    pub(super) roots: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

/// How far the server is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Nothing,
    /// One of the roots signed it.
    Signer,
    /// And it has the name that was connected to.
    Name,
}

impl Wanted {
    /// Whether connections are encrypted, and by what.
    pub(super) fn connector(&self) -> Result<(SslMode, MakeRustlsConnect), BoxError> {
        let (mode, depth) = self.strictness()?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(depth, self.roots(depth)?, &provider)?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                config.with_client_auth_cert(certificates(certificate)?, private_key(key)?)?
            },
            (None, None) => config.with_no_client_auth(),
            _ => return Err("sslcert and sslkey are given together or not at all".into()),
        };
        Ok((mode, MakeRustlsConnect::new(config)))
    }

    /// As libpq has it, a root certificate is used even where none is needed.
    fn strictness(&self) -> Result<(SslMode, Depth), BoxError> {
        let asked = if self.roots.is_some() { Depth::Signer } else { Depth::Nothing };
        let is_system = self.roots.as_deref() == Some(SYSTEM);
        let mode = self.mode.as_deref().unwrap_or(if is_system { "verify-full" } else { "prefer" });
        Ok(match mode {
            "disable" => (SslMode::Disable, Depth::Nothing),
            // A name alone is worth nothing when anyone can get a certificate.
            "prefer" | "require" | "verify-ca" if is_system => {
                return Err(
                    format!("sslrootcert=system needs sslmode=verify-full, not {mode}").into()
                );
            },
            "prefer" => (SslMode::Prefer, asked),
            "require" => (SslMode::Require, asked),
            "verify-ca" => (SslMode::Require, Depth::Signer),
            "verify-full" => (SslMode::Require, Depth::Name),
            other => return Err(format!("sslmode is {other}, expected {MODES}").into()),
        })
    }

    fn roots(&self, depth: Depth) -> Result<Vec<CertificateDer<'static>>, BoxError> {
        match self.roots.as_deref() {
            _ if depth == Depth::Nothing => Ok(Vec::new()),
            None | Some(SYSTEM) => Ok(rustls_native_certs::load_native_certs().certs),
            Some(file) => certificates(file),
        }
    }
}

const SYSTEM: &str = "system";
const MODES: &str = "disable, prefer, require, verify-ca or verify-full";

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, BoxError> {
    let unreadable = |error| unreadable(file, &error);
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect();
    let found = found.map_err(unreadable)?;
    if found.is_empty() { Err(format!("{file} holds no certificate").into()) } else { Ok(found) }
}

fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, BoxError> {
    let pem = private::read_secret(Path::new(file)).map_err(|error| {
        // What is wrong with the mode says which file it is.
        let is_exposed = error.get_ref().is_some_and(|it| it.is::<private::Exposed>());
        if is_exposed { error.to_string() } else { format!("{file} cannot be read: {error}") }
    })?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &str, error: &rustls_pki_types::pem::Error) -> BoxError {
    format!("{file} cannot be read: {error}").into()
}

#[derive(Debug)]
struct Verifier {
    depth: Depth,
    /// A server may show a root itself: one that signed its own certificate does.
    roots: Vec<CertificateDer<'static>>,
    /// None if nothing is verified.
    chains: Option<Arc<WebPkiServerVerifier>>,
    schemes: Vec<SignatureScheme>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(
        depth: Depth,
        roots: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, BoxError> {
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        let provider = Arc::clone(provider);
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.clone());
        let chains = match depth {
            Depth::Nothing => None,
            Depth::Signer | Depth::Name => Some(
                WebPkiServerVerifier::builder_with_provider(store.into(), Arc::clone(&provider))
                    .build()?,
            ),
        };
        Ok(Self { depth, roots, chains, schemes, provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chains) = &self.chains else { return Ok(ServerCertVerified::assertion()) };
        if self.roots.iter().any(|root| root == end_entity) {
            if self.depth == Depth::Name {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last, so everything else is right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.depth == Depth::Signer => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.depth == Depth::Nothing {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.depth == Depth::Nothing {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_mean_what_libpq_means() {
        let file = Some("root.crt");
        for (mode, roots, expected) in [
            (None, None, Ok((SslMode::Prefer, Depth::Nothing))),
            (Some("disable"), file, Ok((SslMode::Disable, Depth::Nothing))),
            (Some("prefer"), file, Ok((SslMode::Prefer, Depth::Signer))),
            (Some("require"), None, Ok((SslMode::Require, Depth::Nothing))),
            (Some("require"), file, Ok((SslMode::Require, Depth::Signer))),
            (Some("verify-ca"), None, Ok((SslMode::Require, Depth::Signer))),
            (Some("verify-full"), file, Ok((SslMode::Require, Depth::Name))),
            (None, Some("system"), Ok((SslMode::Require, Depth::Name))),
            (
                Some("verify-ca"),
                Some("system"),
                Err("sslrootcert=system needs sslmode=verify-full, not verify-ca"),
            ),
            (
                Some("on"),
                None,
                Err("sslmode is on, expected disable, prefer, require, verify-ca or verify-full"),
            ),
        ] {
            let text = |it: &str| it.to_owned();
            let wanted =
                Wanted { mode: mode.map(text), roots: roots.map(text), ..Wanted::default() };
            let found = wanted.strictness().map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{mode:?} {roots:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for (mode, expected) in [(0o644, "run `chmod 600 "), (0o600, " cannot be read: ")] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).unwrap();
            let error = private_key(path).unwrap_err().to_string();
            assert!(error.starts_with(path) && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (wanted, expected) in [
            (
                Wanted { roots: Some("/nowhere/root.crt".to_owned()), ..Wanted::default() },
                "/nowhere/root.crt cannot be read: ",
            ),
            (
                Wanted { key: Some("my.key".to_owned()), ..Wanted::default() },
                "sslcert and sslkey are given together or not at all",
            ),
        ] {
            let error = wanted.connector().err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
