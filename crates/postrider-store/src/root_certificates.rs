//! The certificate authorities that the system trusts.

use rustls_pki_types::CertificateDer;

/// The certificates of the authorities that the system trusts, from its own files or from
/// `SSL_CERT_FILE` and `SSL_CERT_DIR`. Files that cannot be read are skipped, so there may be none.
pub fn root_certificates() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}
