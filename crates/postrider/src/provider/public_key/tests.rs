//! Keys in all their forms, against signatures that OpenSSL made.

use base64::Engine as _;
use proptest::prelude::*;

use super::{Certificate, PrivateKey, PublicKey, SignedHash, text};

const RSA: &str = include_str!("../../../tests/keys/rsa.pem");
const P256: &str = include_str!("../../../tests/keys/p256.pem");
const ED25519: &str = include_str!("../../../tests/keys/ed25519.pem");
const RSA_PUBLIC: &str = include_str!("../../../tests/keys/rsa.pub");
const P256_PUBLIC: &str = include_str!("../../../tests/keys/p256.pub");
const ED25519_PUBLIC: &str = include_str!("../../../tests/keys/ed25519.pub");

const CONTENT: &[u8] = b"the content";
const RSA_SHA1: &str = "\
    PWQhsyrP4Th7iYIpSOx5i7QG19dZG6PYDG1OgDyN4rZ9g0N7vUKrhH2oArWYYO05hi499/PtRCK6dhQlaHU04yTk\
    L5p4UXMmUtyW0qRMPr35n2OgjAiZlOXqHZ7lDkxq+NSqmq5bjDjZPJNAnzZ+inhXoDUxEvFeza5VBbd5gkg/TCn5\
    Q0+Yg2fR9D7PKkpEzzdJ4JGsvTFcBy3/ClivAU/tPWGYKKTVUlKW2/dfaAqZBx9NHSL2Luo0Afa+xXP3xBvqCFfA\
    vQMx2d4AzJ97jXoYTnoTSgW50U5USbffZNORQB0Erqm5wcpaYgKMH25anzp/YTX8NhIE0506ukIMtQ==";
const P256_SHA1: &str = "\
    MEYCIQDg7VU+uz0DGFbZVWuGWpnDHaG45Vwo9bhi0LATqWcdTwIhAJPmJ8fSPcvh7Z6fHRK2L73VzwYbD5LRiE+k\
    qghNszp8";
const RSA_SHA256: &str = "\
    Q10l6QxJh+zmBuxoddCMKqKKGpTCKnZliRzCgObg0WWEbIBHVL/YCCFsCrcTUOborl3Sv+LN6J4qOC3XpM7GHQgk\
    H+yHYQno3xCy5BO3dAOljLR4wlCJ9DEOD5/wNbZJHl3J4XKdrQa0BezBHR+x2W8oRrktjUbpL2AV5mKkTlHKsnN4\
    V4hGckZQCLKGUXsf7frzP5ShKxOadG/V4QzzSA3exkN8nNtnfnZPg/GH1FWkJcD37uWyLEcnFAzqKc3nPQRC4Ka5\
    OBqPGhYDqJWpVaxPWETsQUs7vj7lozWab2JaP57iTCCe7wfgFzIJONfgJGFNw5WDzK1RU8ZD7H08mA==";
const P256_SHA256: &str = "\
    MEUCIQD3D1E2ugy6W7wFrnMUk1KOceMITmkkeBggGFPnl6m5NAIgGCaE55XETH7TJ6i5suzE98kVSSYPspxEBj7C\
    +RJDPpQ=";
const BY_ED25519: &str = "\
    LcxiPbK5PHIyXruI2hWgGX+MmG40G9Zcay8hPlwM3uUkB5K1sRKjWOaaxKOK5as3JxQBI0XVPvmGO0x0OiBRDg==";

fn public(text: &str) -> PublicKey {
    text.parse().unwrap()
}

fn private(text: &str) -> PrivateKey {
    text.parse().unwrap()
}

#[track_caller]
fn check(key: &str, hash: SignedHash, signature: &str) {
    let (key, signature) = (public(key), text::decode_base64(signature).unwrap());
    assert!(key.verifies(hash, CONTENT, &signature));
    assert!(!key.verifies(hash, b"the contenu", &signature));
    assert!(!key.verifies(hash, CONTENT, &[]));
}

#[test]
fn signatures_of_openssl_verify() {
    check(RSA_PUBLIC, SignedHash::Sha1, RSA_SHA1);
    check(RSA_PUBLIC, SignedHash::Sha256, RSA_SHA256);
    check(P256_PUBLIC, SignedHash::Sha1, P256_SHA1);
    check(P256_PUBLIC, SignedHash::Sha256, P256_SHA256);
    check(ED25519_PUBLIC, SignedHash::Sha256, BY_ED25519);
}

#[test]
fn another_hash_does_not_verify() {
    let signature = text::decode_base64(RSA_SHA256).unwrap();
    assert!(!public(RSA_PUBLIC).verifies(SignedHash::Sha1, CONTENT, &signature));
    let signature = text::decode_base64(P256_SHA256).unwrap();
    assert!(!public(P256_PUBLIC).verifies(SignedHash::Sha1, CONTENT, &signature));
}

#[test]
fn a_key_is_the_same_in_all_its_forms() {
    let rsa = public(RSA_PUBLIC);
    assert_eq!(public(include_str!("../../../tests/keys/rsa-pkcs1.pub")), rsa);
    assert_eq!(public(include_str!("../../../tests/keys/sns.crt")), rsa);
    assert_eq!(public(&one_line(RSA_PUBLIC)), rsa);
    assert_eq!(public(&RSA_PUBLIC.replace('\n', "\\n")), rsa);
    assert_eq!(
        public(
            r#"{"kty":"RSA","e":"AQAB","n":"v7H9w-zcSS9krRszUSOBoCUQpClpEXutAWpkUQ1f0jdOYE59WNLy5kzqNEI6PFUZsNfn46g_3oi2o5S2JrTZyJ65H4o8sYUH88DpWx7ILVOvGv_sj-oJoePW2-1e9RIucmP4oMKJSRCUxHo5ouHmcSW6UK5s--H4W37YOCKM3mxvupOoYEjGNnhfTKDgc35MO13erDEstdTcoI7163LnMHdasjoWMvHrbPZIKSn6fj0eBI3ch25kXL7G_GpGR-cJVle7KWTuUM8MQeEtSvwrr6quwARmVjw6aH3PTlwz8TF2ao3lKlGyQUMG7Rw43cKX9egSjJqxhoAZHEy7OCBo8w"}"#
        ),
        rsa
    );
    assert_eq!(rsa.to_pem(), RSA_PUBLIC);

    let p256 = public(P256_PUBLIC);
    assert_eq!(public(include_str!("../../../tests/keys/p256.crt")), p256);
    assert_eq!(public(&one_line(P256_PUBLIC)), p256);
    assert_eq!(
        public(
            r#"{"kty":"EC","crv":"P-256","x":"SPjPXieRbZPYxdRCrC-vLcBMxdssB1Oxjlo48T35EVY","y":"aU0Q-PEq6C6bJea1b2wi5WEYx49Qdiv_DwaZ11Q3SWg"}"#
        ),
        p256
    );
    assert_eq!(p256.to_pem(), P256_PUBLIC);

    let ed25519 = public(ED25519_PUBLIC);
    for form in [
        "a6fe01941372d1eedfd6760540b1297e57eb16ede7b050173f0c963f5a292a7d",
        "A6FE01941372D1EEDFD6760540B1297E57EB16EDE7B050173F0C963F5A292A7D",
        "pv4BlBNy0e7f1nYFQLEpflfrFu3nsFAXPwyWP1opKn0=",
        "pv4BlBNy0e7f1nYFQLEpflfrFu3nsFAXPwyWP1opKn0",
        "whpk_pv4BlBNy0e7f1nYFQLEpflfrFu3nsFAXPwyWP1opKn0=",
        r#"{"kty":"OKP","crv":"Ed25519","x":"pv4BlBNy0e7f1nYFQLEpflfrFu3nsFAXPwyWP1opKn0"}"#,
    ] {
        assert_eq!(public(form), ed25519, "{form}");
    }
    assert_eq!(ed25519.to_pem(), ED25519_PUBLIC);
}

#[test]
fn private_keys_have_their_public_half() {
    let pkcs1 = include_str!("../../../tests/keys/rsa-pkcs1.pem");
    for (key, half) in [
        (RSA, RSA_PUBLIC),
        (pkcs1, RSA_PUBLIC),
        (&one_line(RSA), RSA_PUBLIC),
        (P256, P256_PUBLIC),
        (ED25519, ED25519_PUBLIC),
    ] {
        assert_eq!(private(key).public_key().to_pem(), half);
    }
    let seed = base64::prelude::BASE64_STANDARD.encode([7; 32]);
    let public = private(&seed).public_key();
    assert_eq!(private(&format!("whsk_{seed}")).public_key(), public);
    assert_eq!(private(&"07".repeat(32)).public_key(), public);
}

#[test]
fn a_text_that_is_not_a_key_is_rejected_with_a_reason() {
    for (text, reason) in [
        ("", "is not a public key of RSA, P-256 or Ed25519"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is not a public key of RSA, P-256 or Ed25519"),
        (RSA, "is a private key; the public key is wanted"),
        ("{", "is not a JWK"),
        (
            r#"{"kty":"oct","k":"c2VjcmV0"}"#,
            "JWK is not of a kind that is known: RSA, P-256 or Ed25519",
        ),
        (r#"{"kty":"RSA","n":"AQAB"}"#, "JWK lacks a part"),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, "JWK is not an RSA key"),
        (r#"{"kty":"RSA","n":"______8","e":"AQAB"}"#, "RSA key has fewer than 1024 bits"),
        (r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB"}"#, "JWK is not a point of P-256"),
        (
            "-----BEGIN PUBLIC KEY-----\nAQAB\n-----END PUBLIC KEY-----",
            "is not a public key of RSA, P-256 or Ed25519",
        ),
    ] {
        assert_eq!(text.parse::<PublicKey>().unwrap_err().to_string(), reason, "{text}");
    }
}

#[test]
fn nothing_shows_a_private_key() {
    assert!(format!("{:?}", private(ED25519)).starts_with("PrivateKey(Ed25519(VerifyingKey("));
}

#[test]
fn a_certificate_contains_names_and_dates() {
    let certificate =
        Certificate::from_pem(include_bytes!("../../../tests/keys/p256.crt")).unwrap();
    assert_eq!(certificate.names, ["ec.example", "alt.example"]);
    assert_eq!(certificate.validity, 1_577_836_800..=2_524_607_999);
    assert!(Certificate::from_pem(RSA_PUBLIC.as_bytes()).is_err());
    assert!(Certificate::from_pem(b"\xff").is_err());
}

/// PEM without its first and last line and without line breaks, as some providers show their keys.
fn one_line(pem: &str) -> String {
    pem.lines().filter(|it| !it.starts_with("-----")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn only_the_signed_content_verifies(
        content: Vec<u8>,
        key in prop_oneof![Just(RSA), Just(P256), Just(ED25519)],
        hash in prop_oneof![Just(SignedHash::Sha1), Just(SignedHash::Sha256), Just(SignedHash::Sha512)],
        at: prop::sample::Index,
    ) {
        let key = private(key);
        for signature in [key.sign(hash, &content), key.sign_flat(hash, &content)] {
            prop_assert!(key.public_key().verifies(hash, &content, &signature));
            let mut tampered = signature.clone();
            tampered[at.index(signature.len())] ^= 1;
            prop_assert!(!key.public_key().verifies(hash, &content, &tampered));
            prop_assert!(!key.public_key().verifies(hash, &[&*content, b"."].concat(), &signature));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text: String, der: Vec<u8>) {
        if let Ok(key) = text.parse::<PublicKey>() {
            prop_assert_eq!(public(&key.to_pem()), key);
        }
        prop_assert!(PublicKey::from_der(&der).is_err());
    }
}
