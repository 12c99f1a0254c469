//! Encrypts the secrets of endpoints and sources for the store.
//!
//! The cipher is XChaCha20-Poly1305, with a key derived from the installation's main secret. A
//! sealed secret consists of a version byte, a nonce of 24 bytes, and the ciphertext with its tag.

use std::{fmt, sync::Arc};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use postrider::signature::Secret;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::catalog::{AtRest, SealedSecret};

const VERSION: u8 = 1;

/// Bytes of a nonce. It is long enough that random nonces never repeat.
pub const NONCE: usize = 24;

/// Separates the key and the ciphertexts from other uses.
const PURPOSE: &[u8] = b"postrider endpoint secret 1";

/// The same, for texts that are not an endpoint's secret.
const TEXT: &[u8] = b"postrider text 1";

/// The same, for values that are bound to a key, which is appended.
const KEYED: &[u8] = b"postrider keyed 1";

/// The same, for the key of hop counts.
const HOPS: &[u8] = b"postrider hop key 1";

/// The same, for fingerprints of main secrets.
const FINGERPRINT: &[u8] = b"postrider main secret fingerprint 1";

/// Identifies a main secret without revealing it, as eight hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFingerprint([u8; 4]);

impl KeyFingerprint {
    fn of(main_secret: &str) -> Self {
        let digest = Sha256::new().chain_update(FINGERPRINT).chain_update(main_secret).finalize();
        Self(*digest.first_chunk().expect("the digest has 32 bytes"))
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Vault {
    /// The first one encrypts, all of them decrypt.
    ciphers: Arc<[XChaCha20Poly1305]>,
    fingerprints: Arc<[KeyFingerprint]>,
    hop_key: Zeroizing<[u8; 32]>,
}

/// The sealed secret cannot be decrypted: another main secret encrypted it, or it was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret cannot be decrypted with this main secret")]
pub struct VaultError;

/// The index of the main secret, the purpose, and the decrypted value.
type Unlocked<'a> = (usize, &'a [u8], Zeroizing<Vec<u8>>);

impl Vault {
    /// A vault for this installation. The main secret should have 32 random bytes or more.
    pub fn new(main_secret: &str) -> Self {
        Self::rotating(main_secret, [])
    }

    /// A vault that encrypts with `main_secret`, and also decrypts with older ones.
    pub fn rotating<'a>(main_secret: &'a str, older: impl IntoIterator<Item = &'a str>) -> Self {
        let cipher = |it| {
            let digest = Sha256::new().chain_update(PURPOSE).chain_update(it).finalize();
            XChaCha20Poly1305::new(&digest)
        };
        let hop_key = Sha256::new().chain_update(HOPS).chain_update(main_secret).finalize();
        let all: Vec<_> = std::iter::once(main_secret).chain(older).collect();
        Self {
            fingerprints: all.iter().map(|it| KeyFingerprint::of(it)).collect(),
            ciphers: all.into_iter().map(cipher).collect(),
            hop_key: Zeroizing::new(hop_key.into()),
        }
    }

    /// The key for hop counts, the same on all nodes of the installation.
    pub fn hop_key(&self) -> &[u8; 32] {
        &self.hop_key
    }

    /// The main secrets, the one that encrypts first.
    pub fn fingerprints(&self) -> &[KeyFingerprint] {
        &self.fingerprints
    }

    /// Which of the main secrets encrypted a value: its index in [`Self::fingerprints`].
    pub fn key_of(&self, sealed: &SealedSecret) -> Result<usize, VaultError> {
        Ok(self.unlock(&[PURPOSE, TEXT], sealed)?.0)
    }

    /// The same for a value that is bound to a key.
    pub fn key_under(&self, key: &[u8], sealed: Vec<u8>) -> Result<usize, VaultError> {
        Ok(self.unlock(&[&[KEYED, key].concat()], &SealedSecret(sealed))?.0)
    }

    /// Encrypts a secret. The nonce must never repeat: draw it at random.
    pub fn seal(&self, secret: &Secret, nonce: [u8; NONCE]) -> SealedSecret {
        self.encrypt(secret.reveal().as_bytes(), PURPOSE, nonce)
    }

    pub fn open(&self, sealed: &SealedSecret) -> Result<Secret, VaultError> {
        text(&self.decrypt(sealed, PURPOSE)?)?.parse().map_err(|_| VaultError)
    }

    /// Encrypts any text.
    pub fn seal_text(&self, text: &str, nonce: [u8; NONCE]) -> SealedSecret {
        self.encrypt(text.as_bytes(), TEXT, nonce)
    }

    pub fn open_text(&self, sealed: &SealedSecret) -> Result<Zeroizing<String>, VaultError> {
        text(&self.decrypt(sealed, TEXT)?)
    }

    /// Encrypts a value that is bound to a key: it can only be decrypted with the same key.
    pub fn seal_under(&self, key: &[u8], bytes: &[u8], nonce: [u8; NONCE]) -> Vec<u8> {
        self.encrypt(bytes, &[KEYED, key].concat(), nonce).0
    }

    pub fn open_under(&self, key: &[u8], sealed: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        Ok(self.decrypt(&SealedSecret(sealed), &[KEYED, key].concat())?.to_vec())
    }

    /// Encrypts a part of a record. An empty value is stored as it is.
    pub fn seal_at_rest<T: Serialize + Default + PartialEq>(
        &self,
        it: &T,
        nonce: [u8; NONCE],
    ) -> AtRest<T> {
        if *it == T::default() {
            return AtRest::default();
        }
        let json = Zeroizing::new(serde_json::to_string(it).expect("texts are plain JSON"));
        AtRest::Sealed(self.seal_text(&json, nonce))
    }

    pub fn open_at_rest<T: DeserializeOwned + Clone>(
        &self,
        it: &AtRest<T>,
    ) -> Result<T, VaultError> {
        match it {
            AtRest::Clear(clear) => Ok(clear.clone()),
            AtRest::Sealed(sealed) => {
                serde_json::from_str(&self.open_text(sealed)?).map_err(|_| VaultError)
            },
        }
    }

    /// Encrypts a secret again with the current main secret; `None` if it is encrypted with that.
    pub fn renew(
        &self,
        sealed: &SealedSecret,
        nonce: [u8; NONCE],
    ) -> Result<Option<SealedSecret>, VaultError> {
        self.renew_for(&[PURPOSE, TEXT], sealed, nonce)
    }

    /// The same for a value that is bound to a key.
    pub fn renew_under(
        &self,
        key: &[u8],
        sealed: Vec<u8>,
        nonce: [u8; NONCE],
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let purpose = [KEYED, key].concat();
        Ok(self.renew_for(&[&purpose], &SealedSecret(sealed), nonce)?.map(|it| it.0))
    }

    fn renew_for(
        &self,
        purposes: &[&[u8]],
        sealed: &SealedSecret,
        nonce: [u8; NONCE],
    ) -> Result<Option<SealedSecret>, VaultError> {
        let (index, purpose, opened) = self.unlock(purposes, sealed)?;
        Ok((index > 0).then(|| self.encrypt(&opened, purpose, nonce)))
    }

    /// Decrypts a value, and tells which main secret encrypted it and for which purpose.
    fn unlock<'a>(
        &self,
        purposes: &[&'a [u8]],
        sealed: &SealedSecret,
    ) -> Result<Unlocked<'a>, VaultError> {
        for (index, cipher) in self.ciphers.iter().enumerate() {
            for purpose in purposes {
                if let Some(opened) = decrypt(cipher, sealed, purpose) {
                    return Ok((index, purpose, opened));
                }
            }
        }
        Err(VaultError)
    }

    fn encrypt(&self, bytes: &[u8], purpose: &[u8], nonce: [u8; NONCE]) -> SealedSecret {
        let payload = Payload { msg: bytes, aad: purpose };
        let cipher = self.ciphers.first().expect("a vault has a main secret");
        let sealed =
            cipher.encrypt(&nonce.into(), payload).expect("what is sealed is far below the limit");
        SealedSecret([&[VERSION][..], &nonce, &sealed].concat())
    }

    fn decrypt(
        &self,
        sealed: &SealedSecret,
        purpose: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.ciphers.iter().find_map(|it| decrypt(it, sealed, purpose)).ok_or(VaultError)
    }
}

fn decrypt(
    cipher: &XChaCha20Poly1305,
    sealed: &SealedSecret,
    purpose: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (&version, rest) = sealed.0.split_first()?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
    if version != VERSION {
        return None;
    }
    let payload = Payload { msg: sealed, aad: purpose };
    cipher.decrypt(nonce.into(), payload).ok().map(Zeroizing::new)
}

fn text(opened: &[u8]) -> Result<Zeroizing<String>, VaultError> {
    std::str::from_utf8(opened).map(|it| Zeroizing::new(it.to_owned())).map_err(|_| VaultError)
}

/// Whether bytes are sealed; the clear texts that they may be stored among never begin like this.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&VERSION)
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Headers;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_sealed_secret_decrypts_only_with_the_same_main_secret() {
        let secret: Secret = SECRET.parse().unwrap();
        let vault = Vault::new("main");
        let sealed = vault.seal(&secret, [7; NONCE]);
        assert_eq!(vault.open(&sealed).unwrap().reveal().as_str(), SECRET);
        assert!(Vault::new("other").open(&sealed).is_err());
        assert_ne!(sealed, vault.seal(&secret, [8; NONCE]));
    }

    #[test]
    fn a_sealed_text_does_not_decrypt_as_a_secret() {
        let vault = Vault::new("main");
        let sealed = vault.seal_text(SECRET, [7; NONCE]);
        assert_eq!(vault.open_text(&sealed).unwrap().as_str(), SECRET);
        assert!(vault.open(&sealed).is_err());
        assert!(Vault::new("other").open_text(&sealed).is_err());
    }

    #[test]
    fn older_main_secrets_decrypt_and_the_first_one_encrypts() {
        let (old, new) = (Vault::new("old"), Vault::new("new"));
        let both = Vault::rotating("new", ["older", "old"]);
        let secret: Secret = SECRET.parse().unwrap();
        let sealed = old.seal(&secret, [7; NONCE]);
        let text = old.seal_text("text", [8; NONCE]);
        assert!(both.open(&sealed).is_ok() && both.open_text(&text).is_ok());
        let renewed = both.renew(&sealed, [9; NONCE]).unwrap().unwrap();
        assert_eq!(new.open(&renewed).unwrap().reveal().as_str(), SECRET);
        let renewed = both.renew(&text, [9; NONCE]).unwrap().unwrap();
        assert_eq!(new.open_text(&renewed).unwrap().as_str(), "text");
        assert_eq!(both.renew(&renewed, [9; NONCE]), Ok(None));
        assert_eq!([&renewed, &sealed].map(|it| both.key_of(it)), [Ok(0), Ok(2)]);
        assert_eq!(new.key_of(&sealed), Err(VaultError));
        assert_eq!(both.fingerprints().first(), new.fingerprints().first());
        assert_eq!(both.fingerprints().last(), old.fingerprints().first());
        assert_eq!(new.renew(&sealed, [9; NONCE]), Err(VaultError));
    }

    #[test]
    fn parts_of_records_are_sealed_unless_they_are_empty() {
        let vault = Vault::new("main");
        let headers = Headers::from([("authorization".to_owned(), "Bearer sesame".to_owned())]);
        let sealed = vault.seal_at_rest(&headers, [7; NONCE]);
        let json = serde_json::to_string(&sealed).unwrap();
        assert!(json.starts_with('[') && !format!("{sealed:?}").contains("sesame"), "{json}");
        assert_eq!(serde_json::from_str::<AtRest<Headers>>(&json).unwrap(), sealed);
        assert_eq!(vault.open_at_rest(&sealed), Ok(headers.clone()));
        assert!(Vault::new("other").open_at_rest(&sealed).is_err());
        let old = serde_json::to_string(&headers).unwrap();
        let old: AtRest<Headers> = serde_json::from_str(&old).unwrap();
        assert!(!format!("{old:?}").contains("sesame"));
        assert_eq!(vault.open_at_rest(&old), Ok(headers));
        let empty = vault.seal_at_rest(&Headers::new(), [7; NONCE]);
        assert_eq!(serde_json::to_string(&empty).unwrap(), "{}");
    }

    #[test]
    fn a_value_that_is_bound_to_a_key_does_not_decrypt_with_another() {
        let vault = Vault::new("main");
        let sealed = vault.seal_under(b"key", b"sesame", [7; NONCE]);
        assert_eq!(vault.open_under(b"key", sealed.clone()).unwrap(), b"sesame");
        assert!(vault.open_under(b"other", sealed.clone()).is_err());
        assert!(Vault::new("other").open_under(b"key", sealed).is_err());
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
