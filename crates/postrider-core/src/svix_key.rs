//! The signing keys of endpoints as the open-source server of Svix stores them.
//!
//! A key of exactly 24 bytes is a shared secret. Any other begins with a byte that tells its type, 1
//! for a shared secret and 2 for a private key, with the highest bit set if it is encrypted:
//! XChaCha20-Poly1305, with the nonce in front of the ciphertext. The key of the cipher is the
//! HMAC-SHA256 of the text `main` under the server's main secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a shared secret that has no type.
const LEGACY: usize = 24;

const NONCE: usize = 24;

const IS_ENCRYPTED: u8 = 0x80;

/// Why a key cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is encrypted, and no main secret is given")]
    NoMainSecret,
    #[error("the key is encrypted with another main secret")]
    OtherMainSecret,
    #[error("the key has an unknown form")]
    Unknown,
}

/// The key as text, `whsec_…` or `whsk_…`. `main_secret` is that of the server, if it has one.
pub fn open(stored: &[u8], main_secret: Option<&str>) -> Result<Zeroizing<String>, KeyError> {
    if stored.len() == LEGACY {
        return Ok(text("whsec_", stored));
    }
    let (&marker, rest) = stored.split_first().ok_or(KeyError::Unknown)?;
    let prefix = match marker & !IS_ENCRYPTED {
        1 => "whsec_",
        2 => "whsk_",
        _ => return Err(KeyError::Unknown),
    };
    if marker & IS_ENCRYPTED == 0 {
        return Ok(text(prefix, rest));
    }
    let cipher = cipher(main_secret.ok_or(KeyError::NoMainSecret)?);
    let (nonce, sealed) = rest.split_at_checked(NONCE).ok_or(KeyError::Unknown)?;
    let opened = cipher.decrypt(XNonce::from_slice(nonce), sealed);
    let opened = Zeroizing::new(opened.map_err(|_| KeyError::OtherMainSecret)?);
    Ok(text(prefix, &opened))
}

fn cipher(main_secret: &str) -> XChaCha20Poly1305 {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(main_secret.as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(b"main");
    XChaCha20Poly1305::new(&mac.finalize().into_bytes())
}

fn text(prefix: &str, key: &[u8]) -> Zeroizing<String> {
    let key = Zeroizing::new(STANDARD.encode(key));
    Zeroizing::new(format!("{prefix}{}", *key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "the main secret";

    fn sealed(marker: u8, key: &[u8]) -> Vec<u8> {
        let nonce = [9; NONCE];
        let ciphertext = cipher(SECRET).encrypt(XNonce::from_slice(&nonce), key).unwrap();
        [&[marker | IS_ENCRYPTED], &nonce[..], &ciphertext].concat()
    }

    #[test]
    fn keys_of_all_forms_are_read() {
        let shared = format!("whsec_{}", STANDARD.encode([1; 24]));
        let longer = format!("whsec_{}", STANDARD.encode([1; 32]));
        let private = format!("whsk_{}", STANDARD.encode([2; 64]));
        for (stored, main_secret, expected) in [
            (vec![1; 24], None, Ok(&shared)),
            ([&[1][..], &[1; 32]].concat(), None, Ok(&longer)),
            ([&[2][..], &[2; 64]].concat(), None, Ok(&private)),
            (sealed(1, &[1; 24]), Some(SECRET), Ok(&shared)),
            (sealed(2, &[2; 64]), Some(SECRET), Ok(&private)),
            (sealed(1, &[1; 24]), None, Err(KeyError::NoMainSecret)),
            (sealed(1, &[1; 24]), Some("other"), Err(KeyError::OtherMainSecret)),
            (vec![], None, Err(KeyError::Unknown)),
            (vec![3; 30], None, Err(KeyError::Unknown)),
            (vec![0x81; 10], Some(SECRET), Err(KeyError::Unknown)),
        ] {
            let opened = open(&stored, main_secret);
            assert_eq!(opened.as_deref(), expected.as_deref(), "{stored:?}");
        }
    }
}
