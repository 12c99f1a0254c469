//! Encrypts the secrets of endpoints and sources for the store.
//!
//! XChaCha20-Poly1305 under a key made from the installation's main secret. A sealed secret
//! is one byte of version, 24 of nonce, and the ciphertext with its tag.

use std::fmt;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use postrider::signature::Secret;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::catalog::SealedSecret;

const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Binds the key and the ciphertexts to their use.
const PURPOSE: &[u8] = b"postrider endpoint secret 1";

/// The same for what is not an endpoint's secret.
const TEXT: &[u8] = b"postrider text 1";

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

/// The sealed secret cannot be opened: another main secret sealed it, or it was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret does not open with this main secret")]
pub struct VaultError;

impl Vault {
    /// A vault for this installation; the main secret should have 32 random bytes or more.
    pub fn new(main_secret: &str) -> Self {
        let digest = Sha256::new().chain_update(PURPOSE).chain_update(main_secret).finalize();
        Self { cipher: XChaCha20Poly1305::new(&digest) }
    }

    /// Encrypts a secret under a nonce that is never used twice: draw it at random.
    pub fn seal(&self, secret: &Secret, nonce: [u8; NONCE]) -> SealedSecret {
        self.encrypt(&secret.reveal(), PURPOSE, nonce)
    }

    pub fn open(&self, sealed: &SealedSecret) -> Result<Secret, VaultError> {
        self.decrypt(sealed, PURPOSE)?.parse().map_err(|_| VaultError)
    }

    /// Encrypts what a source's owner gave us; any text can be one.
    pub fn seal_text(&self, text: &str, nonce: [u8; NONCE]) -> SealedSecret {
        self.encrypt(text, TEXT, nonce)
    }

    pub fn open_text(&self, sealed: &SealedSecret) -> Result<Zeroizing<String>, VaultError> {
        self.decrypt(sealed, TEXT)
    }

    fn encrypt(&self, text: &str, purpose: &[u8], nonce: [u8; NONCE]) -> SealedSecret {
        let payload = Payload { msg: text.as_bytes(), aad: purpose };
        let sealed =
            self.cipher.encrypt(&nonce.into(), payload).expect("a secret is far below the limit");
        SealedSecret([&[VERSION][..], &nonce, &sealed].concat())
    }

    fn decrypt(
        &self,
        sealed: &SealedSecret,
        purpose: &[u8],
    ) -> Result<Zeroizing<String>, VaultError> {
        let (&version, rest) = sealed.0.split_first().ok_or(VaultError)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(VaultError)?;
        if version != VERSION {
            return Err(VaultError);
        }
        let payload = Payload { msg: sealed, aad: purpose };
        let opened = self.cipher.decrypt(nonce.into(), payload).map_err(|_| VaultError)?;
        String::from_utf8(opened).map(Zeroizing::new).map_err(|_| VaultError)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn what_was_sealed_opens_with_the_same_main_secret_only() {
        let secret: Secret = SECRET.parse().unwrap();
        let vault = Vault::new("main");
        let sealed = vault.seal(&secret, [7; NONCE]);
        assert_eq!(vault.open(&sealed).unwrap().reveal().as_str(), SECRET);
        assert!(Vault::new("other").open(&sealed).is_err());
        assert_ne!(sealed, vault.seal(&secret, [8; NONCE]));
    }

    #[test]
    fn texts_and_secrets_do_not_stand_for_each_other() {
        let vault = Vault::new("main");
        let sealed = vault.seal_text(SECRET, [7; NONCE]);
        assert_eq!(vault.open_text(&sealed).unwrap().as_str(), SECRET);
        assert!(vault.open(&sealed).is_err());
        assert!(Vault::new("other").open_text(&sealed).is_err());
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        let vault = Vault::new("main");
        let sealed = vault.seal(&SECRET.parse().unwrap(), [7; NONCE]);
        for place in 0..sealed.0.len() {
            let mut damaged = sealed.clone();
            damaged.0[place] ^= 1;
            assert!(vault.open(&damaged).is_err(), "byte {place}");
            assert!(vault.open(&SealedSecret(sealed.0[..place].to_vec())).is_err());
        }
    }
}
