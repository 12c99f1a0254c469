//! JSON Web Tokens, made by another library and by hand.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use postrider::provider::{FetchedKey, Provider, Settings, SignedRequest, VerifyError, find};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::receive;

const NOW: u64 = 1_790_000_000;
const URL: &str = "https://hooks.example.com/in/abc";
const BODY: &str = r#"{"state":"ready","id":"d1","webhook_type":"ITEM","webhook_code":"ERROR"}"#;
const RSA: &str = include_str!("../../keys/rsa-pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("../../keys/rsa.pub");
const P256: &str = include_str!("../../keys/p256.pem");
const ED25519: &str = include_str!("../../keys/ed25519.pem");
const P256_X: &str = "SPjPXieRbZPYxdRCrC-vLcBMxdssB1Oxjlo48T35EVY";
const P256_Y: &str = "aU0Q-PEq6C6bJea1b2wi5WEYx49Qdiv_DwaZ11Q3SWg";
const RSA_N: &str = "v7H9w-zcSS9krRszUSOBoCUQpClpEXutAWpkUQ1f0jdOYE59WNLy5kzqNEI6PFUZsNfn46g_3oi2o5S2JrTZyJ65H4o8sYUH88DpWx7ILVOvGv_sj-oJoePW2-1e9RIucmP4oMKJSRCUxHo5ouHmcSW6UK5s--H4W37YOCKM3mxvupOoYEjGNnhfTKDgc35MO13erDEstdTcoI7163LnMHdasjoWMvHrbPZIKSn6fj0eBI3ch25kXL7G_GpGR-cJVle7KWTuUM8MQeEtSvwrr6quwARmVjw6aH3PTlwz8TF2ao3lKlGyQUMG7Rw43cKX9egSjJqxhoAZHEy7OCBo8w";

fn der(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|it| !it.starts_with('-')).collect();
    base64::prelude::BASE64_STANDARD.decode(lines).unwrap()
}

fn provider(id: &str) -> &'static Provider {
    find(id).unwrap()
}

fn token(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
    let header = Header { kid: Some("key-1".to_owned()), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn signed(header: &str, value: &str) -> SignedRequest {
    SignedRequest {
        method: "POST".to_owned(),
        url: URL.to_owned(),
        headers: vec![(header.to_owned(), value.to_owned())],
        body: BODY.into(),
    }
}

fn with(mut settings: Settings, parameters: &[(&str, &str)]) -> Settings {
    let owned = |(name, it): &(&str, &str)| ((*name).to_owned(), Zeroizing::new((*it).to_owned()));
    settings.parameters.extend(parameters.iter().map(owned));
    settings
}

fn hex_hash() -> String {
    format!("{:x}", Sha256::digest(BODY))
}

fn netlify(claims: &Value) -> SignedRequest {
    let key = EncodingKey::from_secret(b"a secret");
    signed("X-Webhook-Signature", &token(Algorithm::HS256, &key, claims))
}

#[track_caller]
fn netlify_answers(signed: &SignedRequest, reason: &str) {
    let found = receive(provider("netlify"), &Settings::new(["a secret"]), signed, NOW);
    assert_eq!(found.unwrap_err().to_string(), reason);
}

#[test]
fn a_token_with_a_shared_secret_covers_the_body() {
    let good = netlify(&json!({ "iss": "netlify", "sha256": hex_hash() }));
    let settings = Settings::new(["other", "a secret"]);
    let verified = receive(provider("netlify"), &settings, &good, NOW).unwrap();
    assert_eq!(verified.secret, Some(1));
    let tampered = SignedRequest { body: BODY.replace("ready", "error").into(), ..good };
    netlify_answers(&tampered, "no signature matches");
}

#[test]
fn claims_must_have_the_expected_values() {
    let hash = hex_hash();
    let wrong = |name: &str| format!("claim {name} of the token does not have the expected value");
    for (claims, reason) in [
        (json!({ "sha256": hash }), "claim iss of the token is missing".to_owned()),
        (json!({ "iss": "other", "sha256": hash }), wrong("iss")),
        (json!({ "iss": ["netlify"], "sha256": hash }), wrong("iss")),
        (json!({ "iss": "netlify" }), "claim sha256 of the token is missing".to_owned()),
        (json!({ "iss": "netlify", "sha256": 1 }), wrong("sha256")),
        (json!({ "iss": "netlify", "sha256": "xx" }), wrong("sha256")),
        (json!({ "iss": "netlify", "sha256": hash, "exp": "soon" }), wrong("exp")),
        (
            json!({ "iss": "netlify", "sha256": hash, "exp": NOW - 60 }),
            "timestamp is too old".to_owned(),
        ),
        (
            json!({ "iss": "netlify", "sha256": hash, "nbf": NOW + 61 }),
            "timestamp is too new".to_owned(),
        ),
    ] {
        netlify_answers(&netlify(&claims), &reason);
    }
    let within = json!({ "iss": "netlify", "sha256": hash, "exp": NOW - 59, "nbf": NOW + 60 });
    let settings = Settings::new(["a secret"]);
    assert!(receive(provider("netlify"), &settings, &netlify(&within), NOW).is_ok());
}

fn unsigned(header: &Value, signature: &str) -> SignedRequest {
    let encode = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
    let claims = json!({ "iss": "netlify", "sha256": hex_hash() }).to_string();
    let token = format!("{}.{}.{signature}", encode(&header.to_string()), encode(&claims));
    signed("x-webhook-signature", &token)
}

#[test]
fn other_algorithms_are_rejected() {
    let unknown = "the token has no header with a known algorithm";
    netlify_answers(&unsigned(&json!({ "alg": "none" }), ""), unknown);
    netlify_answers(&unsigned(&json!({ "alg": "None" }), ""), unknown);
    netlify_answers(&unsigned(&json!({ "typ": "JWT" }), ""), unknown);
    let other = "the token's algorithm is not allowed";
    netlify_answers(&unsigned(&json!({ "alg": "RS256" }), "AAAA"), other);
    netlify_answers(&unsigned(&json!({ "alg": "HS512" }), "AAAA"), other);
    netlify_answers(&unsigned(&json!({ "alg": "HS256" }), ""), "no signature matches");
    let extended = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    netlify_answers(&unsigned(&extended, ""), "the token has unknown extensions");
    for text in ["", "a", "a.b", "a.b.c.d", "....", "Bearer", "e30.e30.e30", "e30.W10.e30"] {
        let found = receive(
            provider("netlify"),
            &Settings::new(["a secret"]),
            &signed("x-webhook-signature", text),
            NOW,
        );
        assert!(matches!(found, Err(VerifyError::Malformed(_))), "{text}: {found:?}");
    }
}

/// `FusionAuth` takes shared secrets and key pairs; knowledge of the public key must not be enough
/// to sign with it as if it were a shared secret.
#[test]
fn a_public_key_is_not_a_shared_secret() {
    let hash = base64::prelude::BASE64_STANDARD.encode(Sha256::digest(BODY));
    let claims = json!({ "request_body_sha256": hash });
    let jwks = json!({ "keys": [{ "kid": "key-1", "kty": "RSA", "n": RSA_N, "e": "AQAB" }] });
    for public in [RSA_PUBLIC, &jwks.to_string(), &jwks["keys"][0].to_string()] {
        let settings = Settings::new([public]);
        let check = |algorithm, key: &EncodingKey| {
            let token = token(algorithm, key, &claims);
            let signed = signed("x-fusionauth-signature-jwt", &token);
            receive(provider("fusionauth"), &settings, &signed, NOW)
        };
        assert!(check(Algorithm::RS256, &EncodingKey::from_rsa_der(&der(RSA))).is_ok());
        let confused = check(Algorithm::HS256, &EncodingKey::from_secret(public.as_bytes()));
        assert_eq!(
            confused.unwrap_err().to_string(),
            "secret 0 cannot be used: it is a public key, and the token is signed with a shared secret"
        );
        let other = check(Algorithm::ES256, &EncodingKey::from_ec_der(&der(P256)));
        assert_eq!(other.unwrap_err(), VerifyError::Signature);
    }
}

#[test]
fn all_algorithms_of_fusionauth_verify() {
    let hash = base64::prelude::BASE64_STANDARD.encode(Sha256::digest(BODY));
    let claims = json!({ "request_body_sha256": hash });
    let secret = EncodingKey::from_secret(b"a secret");
    for (algorithm, key, public) in [
        (Algorithm::HS256, secret.clone(), "a secret"),
        (Algorithm::HS384, secret.clone(), "a secret"),
        (Algorithm::HS512, secret, "a secret"),
        (Algorithm::RS256, EncodingKey::from_rsa_der(&der(RSA)), RSA_PUBLIC),
        (Algorithm::RS512, EncodingKey::from_rsa_der(&der(RSA)), RSA_PUBLIC),
        (
            Algorithm::ES256,
            EncodingKey::from_ec_der(&der(P256)),
            include_str!("../../keys/p256.pub"),
        ),
        (
            Algorithm::EdDSA,
            EncodingKey::from_ed_der(&der(ED25519)),
            include_str!("../../keys/ed25519.pub"),
        ),
    ] {
        let signed = signed("x-fusionauth-signature-jwt", &token(algorithm, &key, &claims));
        let settings = Settings::new([public]);
        let found = receive(provider("fusionauth"), &settings, &signed, NOW);
        assert!(found.is_ok(), "{algorithm:?}: {found:?}");
    }
}

fn google(claims: &Value) -> SignedRequest {
    let key = EncodingKey::from_rsa_der(&der(RSA));
    signed("Authorization", &format!("Bearer {}", token(Algorithm::RS256, &key, claims)))
}

fn google_claims() -> Value {
    json!({
        "iss": "https://accounts.google.com",
        "aud": URL,
        "email": "push@project.iam.gserviceaccount.com",
        "email_verified": true,
        "exp": NOW + 600,
        "iat": NOW,
    })
}

#[test]
fn keys_of_google_are_fetched_and_chosen_by_id() {
    let email = [("email", "push@project.iam.gserviceaccount.com")];
    let mut settings = with(Settings::default(), &email);
    let good = google(&google_claims());
    let found = receive(provider("google-pubsub"), &settings, &good, NOW);
    let Err(VerifyError::KeyNeeded(needed)) = found else { panic!("{found:?}") };
    assert_eq!(needed.url, "https://www.googleapis.com/oauth2/v3/certs");

    // A set without the key may be an old one: it has to be fetched again.
    let set = |id: &str| json!({ "keys": [{ "kid": id, "kty": "RSA", "n": RSA_N, "e": "AQAB" }] });
    let fetched =
        |id: &str| FetchedKey { url: needed.url.clone(), body: set(id).to_string().into() };
    settings.fetched = vec![fetched("key-0")];
    let found = receive(provider("google-pubsub"), &settings, &good, NOW);
    assert_eq!(found, Err(VerifyError::KeyNeeded(needed.clone())));
    settings.fetched = vec![fetched("key-1")];
    assert!(receive(provider("google-pubsub"), &settings, &good, NOW).is_ok());
    let mut other = good;
    other.headers[0].1.push('A');
    assert!(receive(provider("google-pubsub"), &settings, &other, NOW).is_err());
}

#[test]
fn tokens_of_other_google_accounts_are_rejected_and_fetch_nothing() {
    let email = [("email", "push@project.iam.gserviceaccount.com")];
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("https://other.example/")),
        ("aud", json!(["https://other.example/"])),
        ("aud", json!(7)),
        ("email", json!("push@evil.iam.gserviceaccount.com")),
        ("email_verified", json!(false)),
        ("email_verified", json!("true")),
        ("exp", json!(NOW - 61)),
    ] {
        let mut claims = google_claims();
        claims[name] = value;
        let settings = with(Settings::default(), &email);
        let found = receive(provider("google-pubsub"), &settings, &google(&claims), NOW);
        let is_told = matches!(found, Err(VerifyError::Malformed(_) | VerifyError::TooOld));
        assert!(is_told, "{name}: {found:?}");
    }
    // Without a trusted account, every token is rejected.
    let found =
        receive(provider("google-pubsub"), &Settings::default(), &google(&google_claims()), NOW);
    assert_eq!(found.unwrap_err().to_string(), "parameter email is not configured");
    // The audience may be configured.
    let settings = with(Settings::new([RSA_PUBLIC]), &[email[0], ("audience", "ours")]);
    let mut claims = google_claims();
    assert!(receive(provider("google-pubsub"), &settings, &google(&claims), NOW).is_err());
    claims["aud"] = json!(["theirs", "ours"]);
    assert!(receive(provider("google-pubsub"), &settings, &google(&claims), NOW).is_ok());
}

#[test]
fn a_plaid_key_is_fetched_by_its_id() {
    let key = EncodingKey::from_ec_der(&der(P256));
    let claims = json!({ "iat": NOW, "request_body_sha256": hex_hash() });
    let good = signed("Plaid-Verification", &token(Algorithm::ES256, &key, &claims));
    let plaid = |settings: &Settings, now| receive(provider("plaid"), settings, &good, now);
    assert_eq!(plaid(&Settings::default(), NOW), Err(VerifyError::NoSecret));
    let mut settings = with(Settings::default(), &[("client_id", "c"), ("client_secret", "s")]);
    let Err(VerifyError::KeyNeeded(needed)) = plaid(&settings, NOW) else { panic!() };
    assert_eq!(needed.url, "https://production.plaid.com/webhook_verification_key/get#key-1");
    let body: Value = serde_json::from_str(&needed.body.unwrap()).unwrap();
    assert_eq!(body, json!({ "client_id": "c", "secret": "s", "key_id": "key-1" }));
    let jwk = json!({ "kid": "key-1", "kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y, "expired_at": null });
    let response = json!({ "key": jwk, "request_id": "r" }).to_string();
    settings.fetched = vec![FetchedKey { url: needed.url, body: response.into() }];
    let verified = plaid(&settings, NOW + 300).unwrap();
    assert_eq!(verified.event_type.as_deref(), Some("ITEM.ERROR"));
    assert_eq!(plaid(&settings, NOW + 301), Err(VerifyError::TooOld));
    assert_eq!(plaid(&settings, NOW - 61), Err(VerifyError::TooNew));
}

#[test]
fn monday_without_a_secret_is_rejected() {
    let key = EncodingKey::from_secret(b"a secret");
    let good =
        signed("authorization", &token(Algorithm::HS256, &key, &json!({ "exp": NOW + 300 })));
    let monday = |settings: &Settings, signed: &SignedRequest| {
        receive(provider("monday"), settings, signed, NOW)
    };
    assert!(monday(&Settings::new(["a secret"]), &good).is_ok());
    assert_eq!(monday(&Settings::default(), &good), Err(VerifyError::NoSecret));
    let bare = SignedRequest { headers: Vec::new(), ..good };
    assert!(monday(&Settings::default(), &bare).is_err());
}
