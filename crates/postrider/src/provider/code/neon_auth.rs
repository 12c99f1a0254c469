//! Neon Auth: a detached JSON Web Signature with Ed25519 over the time and the body. The key comes
//! from the key set at the parameter `jwks_url`, or is set as a secret.

use serde_json::Value;

use super::{
    super::{
        PublicKey, SignError, SignedHash, SignedRequest, VerifyError, key_set,
        public_key::decode_base64, verify::SchemeMatch,
    },
    encode::base64url,
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

const TOLERANCE: u64 = 300;

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let jws = context.header("x-neon-signature")?;
    let (time, id) = (context.header("x-neon-timestamp")?, context.header("x-neon-signature-kid")?);
    let (header, signature) = jws
        .split_once("..")
        .ok_or_else(|| malformed("header:x-neon-signature is not a detached signature"))?;
    if algorithm(header).as_deref() != Some("EdDSA") {
        return Err(malformed("the algorithm of header:x-neon-signature is not EdDSA"));
    }
    let signature = decode_base64(signature);
    let signature = signature.ok_or_else(|| malformed("header:x-neon-signature is not base64"))?;
    context.check_timestamp(time, Some(TOLERANCE))?;
    let content = content(header, time, context.request.body);
    let verifies = |key: &PublicKey| {
        matches!(key, PublicKey::Ed25519(_))
            && key.verifies(SignedHash::Sha256, content.as_bytes(), &signature)
    };
    if context.settings.secrets.is_empty() {
        let url = context.settings.parameter("jwks_url").ok_or(VerifyError::NoSecret)?;
        let keys = key_set::fetched(context.settings, url, Some(id))?;
        let found = keys.iter().fold(false, |found, it| verifies(it) | found);
        return found.then(SchemeMatch::default).ok_or(VerifyError::Signature);
    }
    context.matching(|secret| {
        let keys = key_set::read(secret, Some(id)).map_err(|it| format!("it {it}"))?;
        Ok(keys.iter().fold(false, |found, it| verifies(it) | found))
    })
}

fn algorithm(header: &str) -> Option<String> {
    let header: Value = serde_json::from_slice(&decode_base64(header)?).ok()?;
    header.get("alg")?.as_str().map(str::to_owned)
}

fn content(header: &str, time: &str, body: &[u8]) -> String {
    format!("{header}.{}", base64url(format!("{time}.{}", base64url(body))))
}

pub(super) fn sign(context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let key = context.key()?;
    if !matches!(key.public_key(), PublicKey::Ed25519(_)) {
        return Err(SignError::Secret("it is not an Ed25519 key".to_owned()));
    }
    let id = context.settings.parameter("key_id").unwrap_or("postrider").to_owned();
    let header = base64url(format!(r#"{{"alg":"EdDSA","kid":"{id}"}}"#));
    let time = (context.now_seconds * 1000).to_string();
    let content = content(&header, &time, &context.draft.body);
    let signature = base64url(key.sign(SignedHash::Sha256, content.as_bytes()));
    let signature = format!("{header}..{signature}");
    let headers = [
        ("x-neon-signature", signature.as_str()),
        ("x-neon-signature-kid", &id),
        ("x-neon-timestamp", &time),
    ];
    Ok(context.signed(JSON, &headers))
}
