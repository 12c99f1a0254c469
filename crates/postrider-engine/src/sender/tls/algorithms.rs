//! The cryptography of TLS: that of ring, and signatures with P-521, which ring lacks.

use p521::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
use rustls::{
    SignatureScheme,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring},
};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use webpki::ring as by_ring;

pub(super) fn provider() -> CryptoProvider {
    let algorithms = WebPkiSupportedAlgorithms { all: ALL, mapping: BY_SCHEME };
    CryptoProvider { signature_verification_algorithms: algorithms, ..ring::default_provider() }
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

const P521_SHA256: Algorithm = &P521 { hash: alg_id::ECDSA_SHA256, digest: digest::<Sha256> };
const P521_SHA384: Algorithm = &P521 { hash: alg_id::ECDSA_SHA384, digest: digest::<Sha384> };
const P521_SHA512: Algorithm = &P521 { hash: alg_id::ECDSA_SHA512, digest: digest::<Sha512> };

/// For the signatures within certificates.
static ALL: &[Algorithm] = &[
    by_ring::ECDSA_P256_SHA256,
    by_ring::ECDSA_P256_SHA384,
    by_ring::ECDSA_P384_SHA256,
    by_ring::ECDSA_P384_SHA384,
    P521_SHA256,
    P521_SHA384,
    P521_SHA512,
    by_ring::ED25519,
    by_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    by_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    by_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    by_ring::RSA_PKCS1_2048_8192_SHA256,
    by_ring::RSA_PKCS1_2048_8192_SHA384,
    by_ring::RSA_PKCS1_2048_8192_SHA512,
    by_ring::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    by_ring::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    by_ring::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
];

/// For the signatures within handshakes, the preferred ones first. TLS 1.3 uses the first algorithm
/// of a scheme; in TLS 1.2 a scheme does not determine the curve.
static BY_SCHEME: &[(SignatureScheme, &[Algorithm])] = &[
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        &[by_ring::ECDSA_P384_SHA384, by_ring::ECDSA_P256_SHA384, P521_SHA384],
    ),
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        &[by_ring::ECDSA_P256_SHA256, by_ring::ECDSA_P384_SHA256, P521_SHA256],
    ),
    (SignatureScheme::ECDSA_NISTP521_SHA512, &[P521_SHA512]),
    (SignatureScheme::ED25519, &[by_ring::ED25519]),
    (SignatureScheme::RSA_PSS_SHA512, &[by_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
    (SignatureScheme::RSA_PSS_SHA384, &[by_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
    (SignatureScheme::RSA_PSS_SHA256, &[by_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
    (SignatureScheme::RSA_PKCS1_SHA512, &[by_ring::RSA_PKCS1_2048_8192_SHA512]),
    (SignatureScheme::RSA_PKCS1_SHA384, &[by_ring::RSA_PKCS1_2048_8192_SHA384]),
    (SignatureScheme::RSA_PKCS1_SHA256, &[by_ring::RSA_PKCS1_2048_8192_SHA256]),
];

/// ECDSA with P-521 and one hash.
#[derive(Debug)]
struct P521 {
    hash: AlgorithmIdentifier,
    digest: fn(&[u8]) -> Vec<u8>,
}

/// Size of a number modulo the order of the curve.
const P521_BYTES: usize = 66;

impl SignatureVerificationAlgorithm for P521 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        let digest = (self.digest)(message);
        // The library refuses hashes that are shorter than half of a number; leading zeros
        // leave the number as it is.
        let mut padded = [0; P521_BYTES];
        padded
            .get_mut(P521_BYTES - digest.len()..)
            .ok_or(InvalidSignature)?
            .copy_from_slice(&digest);
        key.verify_prehash(&padded, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.hash
    }
}

fn digest<D: Digest>(message: &[u8]) -> Vec<u8> {
    D::digest(message).to_vec()
}

#[cfg(test)]
mod tests {
    use p521::ecdsa::{SigningKey, signature::hazmat::PrehashSigner};

    use super::*;

    #[test]
    fn ring_lacks_nothing_but_p521() {
        let rings = ring::default_provider().signature_verification_algorithms;
        let ids = |it: &&Algorithm| (it.public_key_alg_id(), it.signature_alg_id());
        let ours: Vec<_> = ALL.iter().map(|it| ids(&it)).collect();
        for algorithm in rings.all {
            assert!(ours.contains(&ids(&algorithm)), "{algorithm:?}");
        }
        assert_eq!(ours.len(), rings.all.len() + 3);
        for (scheme, _) in rings.mapping {
            assert!(BY_SCHEME.iter().any(|(it, _)| it == scheme), "{scheme:?}");
        }
    }

    #[test]
    fn p521_verifies_every_hash_and_refuses_what_was_changed() {
        let key = SigningKey::from_slice(&[1; P521_BYTES]).unwrap();
        let public = VerifyingKey::from(&key).to_encoded_point(false);
        for (algorithm, digest) in [
            (P521_SHA256, Sha256::digest(b"message").to_vec()),
            (P521_SHA384, Sha384::digest(b"message").to_vec()),
            (P521_SHA512, Sha512::digest(b"message").to_vec()),
        ] {
            let mut padded = [0; P521_BYTES];
            padded[P521_BYTES - digest.len()..].copy_from_slice(&digest);
            let signature: Signature = key.sign_prehash(&padded).unwrap();
            let signature = signature.to_der();
            let verify = |message: &[u8], signature: &[u8]| {
                algorithm.verify_signature(public.as_bytes(), message, signature).is_ok()
            };
            assert!(verify(b"message", signature.as_bytes()), "{algorithm:?}");
            assert!(!verify(b"massage", signature.as_bytes()), "{algorithm:?}");
            assert!(!verify(b"message", b"junk"), "{algorithm:?}");
        }
    }
}
