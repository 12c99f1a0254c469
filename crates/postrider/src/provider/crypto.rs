//! Hashes and message authentication codes over bytes.

use hmac::{Hmac, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::hash::Hash;

/// Hashes the content.
pub(super) fn digest(hash: Hash, content: &[u8]) -> Vec<u8> {
    digest_of(hash, &[content])
}

/// Hashes all pieces together.
pub(super) fn digest_of<T: AsRef<[u8]>>(hash: Hash, pieces: &[T]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => hashed::<Sha256, T>(pieces),
        Hash::Sha1 => hashed::<Sha1, T>(pieces),
        Hash::Sha384 => hashed::<Sha384, T>(pieces),
        Hash::Sha512 => hashed::<Sha512, T>(pieces),
        Hash::Md5 => hashed::<Md5, T>(pieces),
    }
}

fn hashed<D: Digest, T: AsRef<[u8]>>(pieces: &[T]) -> Vec<u8> {
    pieces.iter().fold(D::new(), D::chain_update).finalize().to_vec()
}

/// Computes the HMAC of the content.
pub(super) fn hmac(hash: Hash, key: &[u8], content: &[u8]) -> Vec<u8> {
    hmac_of(hash, key, &[content])
}

/// Computes the HMAC of all pieces together.
pub(super) fn hmac_of<T: AsRef<[u8]>>(hash: Hash, key: &[u8], pieces: &[T]) -> Vec<u8> {
    macro_rules! hmac {
        ($hash:ty) => {{
            let mac = Hmac::<$hash>::new_from_slice(key).expect("HMAC takes keys of any length");
            let mac = pieces.iter().fold(mac, |mac, it| mac.chain_update(it));
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match hash {
        Hash::Sha256 => hmac!(Sha256),
        Hash::Sha1 => hmac!(Sha1),
        Hash::Sha384 => hmac!(Sha384),
        Hash::Sha512 => hmac!(Sha512),
        Hash::Md5 => hmac!(Md5),
    }
}

/// Compares in constant time.
pub(super) fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// Compares texts in a time that does not even reveal their lengths.
pub(super) fn equal_secrets(one: &str, other: &str) -> bool {
    equal(&Sha256::digest(one), &Sha256::digest(other))
}
