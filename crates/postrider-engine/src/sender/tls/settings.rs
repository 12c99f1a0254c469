//! What one connection needs of TLS.

use postrider_core::{client_identity::ClientIdentity, request::Prepared};

/// Which certificates are trusted on a connection, and which one is presented.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::sender) struct TlsSettings<'a> {
    /// Only these certificates (PEM), or those of the installation if it is `None`.
    pub trusted: Option<&'a str>,
    pub identity: Option<&'a ClientIdentity>,
}

impl<'a> TlsSettings<'a> {
    /// The settings of an endpoint.
    pub(in crate::sender) fn of(prepared: &'a Prepared) -> Self {
        Self { trusted: prepared.trusted.as_deref(), identity: prepared.identity.as_deref() }
    }

    /// Trusts certificates, and presents none.
    pub(in crate::sender) const fn trusting(trusted: Option<&'a str>) -> Self {
        Self { trusted, identity: None }
    }
}
