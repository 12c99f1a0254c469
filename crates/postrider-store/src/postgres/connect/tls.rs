//! TLS settings of a connection, with libpq's names and meanings: `sslmode`, `sslrootcert`,
//! `sslcert` and `sslkey`.

use std::{path::Path, sync::Arc};

use rustls::{ClientConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_postgres::config::SslMode;

use super::{
    handshake::Tls,
    verifier::{Verification, Verifier},
};
use crate::{error::BoxError, private, root_certificates::root_certificates};

/// TLS settings of a URL, as they are written there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsSettings {
    pub(super) mode: Option<String>,
    /// A file, or `system`.
    pub(super) roots: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

impl TlsSettings {
    /// Whether connections are encrypted, and how.
    pub(super) fn connector(&self) -> Result<(SslMode, Tls), BoxError> {
        let (mode, verification) = self.modes()?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(verification, self.roots(verification)?, &provider)?);
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
        Ok((mode, Tls::new(config)))
    }

    /// Like libpq, verifies the certificate in every mode if a root certificate is given.
    fn modes(&self) -> Result<(SslMode, Verification), BoxError> {
        let asked = if self.roots.is_some() { Verification::Chain } else { Verification::None };
        let is_system = self.roots.as_deref() == Some(SYSTEM);
        let mode = self.mode.as_deref().unwrap_or(if is_system { "verify-full" } else { "prefer" });
        Ok(match mode {
            "disable" => (SslMode::Disable, Verification::None),
            // Anyone can get a certificate that the system trusts: without the name it proves
            // nothing.
            "prefer" | "require" | "verify-ca" if is_system => {
                return Err(
                    format!("sslrootcert=system needs sslmode=verify-full, not {mode}").into()
                );
            },
            "prefer" => (SslMode::Prefer, asked),
            "require" => (SslMode::Require, asked),
            "verify-ca" => (SslMode::Require, Verification::Chain),
            "verify-full" => (SslMode::Require, Verification::ChainAndName),
            other => return Err(format!("sslmode is {other}, expected {MODES}").into()),
        })
    }

    fn roots(&self, verification: Verification) -> Result<Vec<CertificateDer<'static>>, BoxError> {
        match self.roots.as_deref() {
            _ if verification == Verification::None => Ok(Vec::new()),
            None | Some(SYSTEM) => Ok(root_certificates()),
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
        // An error about the file's permissions already contains its name.
        let is_exposed = error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<private::Exposed>);
        if is_exposed { error.to_string() } else { format!("{file} cannot be read: {error}") }
    })?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &str, error: &rustls_pki_types::pem::Error) -> BoxError {
    format!("{file} cannot be read: {error}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_mean_what_libpq_means() {
        let file = Some("root.crt");
        for (mode, roots, expected) in [
            (None, None, Ok((SslMode::Prefer, Verification::None))),
            (Some("disable"), file, Ok((SslMode::Disable, Verification::None))),
            (Some("prefer"), file, Ok((SslMode::Prefer, Verification::Chain))),
            (Some("require"), None, Ok((SslMode::Require, Verification::None))),
            (Some("require"), file, Ok((SslMode::Require, Verification::Chain))),
            (Some("verify-ca"), None, Ok((SslMode::Require, Verification::Chain))),
            (Some("verify-full"), file, Ok((SslMode::Require, Verification::ChainAndName))),
            (None, Some("system"), Ok((SslMode::Require, Verification::ChainAndName))),
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
            let settings = TlsSettings {
                mode: mode.map(text),
                roots: roots.map(text),
                ..TlsSettings::default()
            };
            let found = settings.modes().map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{mode:?} {roots:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_rejected() {
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
    fn an_error_names_the_missing_file_or_parameter() {
        for (settings, expected) in [
            (
                TlsSettings {
                    roots: Some("/nowhere/root.crt".to_owned()),
                    ..TlsSettings::default()
                },
                "/nowhere/root.crt cannot be read: ",
            ),
            (
                TlsSettings { key: Some("my.key".to_owned()), ..TlsSettings::default() },
                "sslcert and sslkey are given together or not at all",
            ),
        ] {
            let error = settings.connector().err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
