//! Exact Online: `{"Content":…,"HashCode":"…"}`, with a hash over the text of the content.

use super::{
    super::{
        SignError, SignedRequest, VerifyError, crypto, json, model::Hash, public_key::decode_hex,
        verify::SchemeMatch,
    },
    encode,
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

const BEFORE: &str = r#"{"Content":"#;
const BETWEEN: &str = r#","HashCode":""#;
const AFTER: &str = r#""}"#;

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let (content, hash) = split(context.text()?)
        .ok_or_else(|| malformed("body does not consist of Content and HashCode"))?;
    let signature = decode_hex(hash).ok_or_else(|| malformed("json:HashCode is not hex"))?;
    let matched = context.matching(|secret| {
        let expected = crypto::hmac(Hash::Sha256, secret.as_bytes(), content.as_bytes());
        Ok(crypto::equal(&expected, &signature))
    })?;
    // The hash may be written in upper or lower case.
    Ok(SchemeMatch { unwrapped: Some(content.as_bytes().to_vec()), ..matched })
}

fn split(body: &str) -> Option<(&str, &str)> {
    let body = body.trim().strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    body.rsplit_once(BETWEEN)
}

/// Wraps a body that is only the content, and signs it.
pub(super) fn sign(mut context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let body = context.json()?;
    let content = json::member(&body, "Content").unwrap_or(&body).get();
    let hash = crypto::hmac(Hash::Sha256, context.secret()?.as_bytes(), content.as_bytes());
    let hash = encode::hex(&hash).to_ascii_uppercase();
    context.draft.body = format!("{BEFORE}{content}{BETWEEN}{hash}{AFTER}").into_bytes();
    Ok(context.signed(JSON, &[]))
}
