//! eBay: the signature header is base64-encoded JSON that names the key. The key comes from eBay's
//! API, which requires an OAuth token, or is set as a secret.

use serde_json::Value;

use super::{
    super::{
        KeyRequest, PublicKey, SignError, SignedHash, SignedRequest, VerifyError,
        public_key::decode_base64, verify::SchemeMatch,
    },
    encode, key_url,
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let header = decode_base64(context.header("x-ebay-signature")?);
    let header = header.and_then(|it| serde_json::from_slice::<Value>(&it).ok());
    let header =
        header.ok_or_else(|| malformed("header:x-ebay-signature is not JSON in base64"))?;
    let field = |name: &str| {
        let found = header.get(name).and_then(Value::as_str);
        found.ok_or_else(|| VerifyError::Missing(format!("`{name}` of header:x-ebay-signature")))
    };
    let signature = decode_base64(field("signature")?);
    let signature = signature.ok_or_else(|| malformed("the signature is not base64"))?;
    let hash = match header.get("digest").and_then(Value::as_str) {
        Some("SHA1") | None => SignedHash::Sha1,
        Some("SHA256") => SignedHash::Sha256,
        Some(_) => return Err(malformed("the digest is neither SHA1 nor SHA256")),
    };
    if context.settings.secrets.is_empty() {
        let key = fetched(context, field("kid")?)?;
        let verifies = key.verifies(hash, context.request.body, &signature);
        return verifies.then(SchemeMatch::default).ok_or(VerifyError::Signature);
    }
    context.matching(|secret| {
        let key: PublicKey = secret.parse().map_err(|it| format!("it {it}"))?;
        Ok(key.verifies(hash, context.request.body, &signature))
    })
}

fn fetched(context: &VerifyingContext<'_>, id: &str) -> Result<PublicKey, VerifyError> {
    let Some(token) = context.settings.parameter("access_token") else {
        return Err(VerifyError::NoSecret);
    };
    if !key_url::is_key_id(id) {
        return Err(malformed("`kid` of header:x-ebay-signature is not the id of a key"));
    }
    let host = match context.settings.parameter("environment") {
        Some("sandbox") => "api.sandbox.ebay.com",
        Some(_) | None => "api.ebay.com",
    };
    let url = format!("https://{host}/commerce/notification/v1/public_key/{id}");
    let Some(response) = context.settings.fetched(&url) else {
        let authorization = ("authorization".to_owned(), format!("Bearer {token}"));
        let headers = vec![authorization, ("accept".to_owned(), JSON.to_owned())];
        return Err(VerifyError::KeyNeeded(KeyRequest { url, headers, body: None }));
    };
    let response = serde_json::from_slice::<Value>(response).ok();
    let key = response.as_ref().and_then(|it| it.get("key")).and_then(Value::as_str);
    let key = key.and_then(|it| it.parse().ok());
    key.ok_or_else(|| malformed(&format!("the content of {url} is not a key")))
}

pub(super) fn sign(context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let signature = context.key()?.sign(SignedHash::Sha1, &context.draft.body);
    let header = serde_json::json!({
        "alg": "ecdsa",
        "kid": "9936261a-7d7b-4621-a0f1-96ccb428af49",
        "signature": encode::base64(signature),
        "digest": "SHA1",
    });
    let header = encode::base64(header.to_string());
    Ok(context.signed(JSON, &[("x-ebay-signature", &header)]))
}
