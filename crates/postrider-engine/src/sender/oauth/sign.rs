//! Signs JWTs with RS256.

use postrider_core::oauth::{KeyEncodingError, key_bytes};
use rustls::{SignatureScheme, crypto::ring::sign::any_supported_type};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};

/// The beginning of a section in PEM.
const PEM: &[u8] = b"-----BEGIN ";

/// What is wrong with a key for JWTs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtKeyError {
    #[error(transparent)]
    Encoding(#[from] KeyEncodingError),
    #[error("is not a private key in PEM or DER; encrypted keys have to be decrypted first")]
    Format,
    #[error("is not an RSA key with 2048 to 8192 bits")]
    Algorithm,
}

/// Signs a text with RS256. `key` is Base64 of PEM or DER, or PEM.
pub(super) fn sign(key: &str, text: &str) -> Result<Vec<u8>, JwtKeyError> {
    let bytes = key_bytes(key)?;
    let is_pem = bytes.windows(PEM.len()).any(|part| part == PEM);
    let key = if is_pem {
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| JwtKeyError::Format)?
    } else {
        PrivateKeyDer::try_from(bytes.as_slice()).map_err(|_| JwtKeyError::Format)?.clone_key()
    };
    let key = any_supported_type(&key).map_err(|_| JwtKeyError::Algorithm)?;
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
    let signer = signer.ok_or(JwtKeyError::Algorithm)?;
    signer.sign(text.as_bytes()).map_err(|_| JwtKeyError::Algorithm)
}

/// Whether a key can sign JWTs. `key` is Base64 of PEM or DER, or PEM.
pub fn check_jwt_key(key: &str) -> Result<(), JwtKeyError> {
    sign(key, "").map(drop)
}
