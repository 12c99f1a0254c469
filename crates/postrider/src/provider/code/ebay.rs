//! eBay: the signature header is base64 of JSON that names the key. The key comes from eBay's
//! API, for which it takes an OAuth token, or it is pinned as a secret.

use serde_json::Value;

use super::{
    super::{
        CannotSign, KeyRequest, PublicKey, Rejected, Signed, SignedHash, public_key::decode_base64,
        verify::Matched,
    },
    case::{Case, malformed},
    key_url,
    making::{JSON, Making},
};

pub(super) fn verify(case: &Case<'_>) -> Result<Matched, Rejected> {
    let header = decode_base64(case.header("x-ebay-signature")?);
    let header = header.and_then(|it| serde_json::from_slice::<Value>(&it).ok());
    let header =
        header.ok_or_else(|| malformed("header:x-ebay-signature is not JSON in base64"))?;
    let field = |name: &str| {
        let found = header.get(name).and_then(Value::as_str);
        found.ok_or_else(|| Rejected::Missing(format!("`{name}` of header:x-ebay-signature")))
    };
    let signature = decode_base64(field("signature")?);
    let signature = signature.ok_or_else(|| malformed("the signature is not base64"))?;
    let hash = match header.get("digest").and_then(Value::as_str) {
        Some("SHA1") | None => SignedHash::Sha1,
        Some("SHA256") => SignedHash::Sha256,
        Some(_) => return Err(malformed("the digest is neither SHA1 nor SHA256")),
    };
    if case.settings.secrets.is_empty() {
        let key = fetched(case, field("kid")?)?;
        let verifies = key.verifies(hash, case.request.body, &signature);
        return verifies.then(Matched::default).ok_or(Rejected::Signature);
    }
    case.matching(|secret| {
        let key: PublicKey = secret.parse().map_err(|it| format!("it {it}"))?;
        Ok(key.verifies(hash, case.request.body, &signature))
    })
}

fn fetched(case: &Case<'_>, id: &str) -> Result<PublicKey, Rejected> {
    let Some(token) = case.settings.parameter("access_token") else {
        return Err(Rejected::NoSecret);
    };
    if !key_url::is_key_id(id) {
        return Err(malformed("`kid` of header:x-ebay-signature is not the id of a key"));
    }
    let host = match case.settings.parameter("environment") {
        Some("sandbox") => "api.sandbox.ebay.com",
        Some(_) | None => "api.ebay.com",
    };
    let url = format!("https://{host}/commerce/notification/v1/public_key/{id}");
    let Some(answer) = case.settings.fetched(&url) else {
        let authorization = ("authorization".to_owned(), format!("Bearer {token}"));
        let headers = vec![authorization, ("accept".to_owned(), JSON.to_owned())];
        return Err(Rejected::KeyNeeded(KeyRequest { url, headers, body: None }));
    };
    let answer = serde_json::from_slice::<Value>(answer).ok();
    let key = answer.as_ref().and_then(|it| it.get("key")).and_then(Value::as_str);
    let key = key.and_then(|it| it.parse().ok());
    key.ok_or_else(|| malformed(&format!("what is at {url} is not a key")))
}

pub(super) fn sign(making: Making<'_>) -> Result<Signed, CannotSign> {
    let signature = making.key()?.sign(SignedHash::Sha1, &making.draft.body);
    let header = serde_json::json!({
        "alg": "ecdsa",
        "kid": "9936261a-7d7b-4621-a0f1-96ccb428af49",
        "signature": super::base64(signature),
        "digest": "SHA1",
    });
    let header = super::base64(header.to_string());
    Ok(making.signed(JSON, &[("x-ebay-signature", &header)]))
}
