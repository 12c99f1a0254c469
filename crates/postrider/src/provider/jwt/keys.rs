//! The key of a token: a secret of the source, or a fetched key.

use serde_json::{Value, json};

use super::{
    super::{
        KeyRequest, PublicKey, Settings, VerifyError, key_set,
        work::{self, WorkBudget},
    },
    Jwt, KeyLocation,
    token::Token,
};

/// The index of the secret that signed the token; `None` if its key was fetched.
pub(super) fn verify(
    jwt: &Jwt,
    settings: &Settings,
    token: &Token<'_>,
    work: &WorkBudget,
) -> Result<Option<usize>, VerifyError> {
    // A secret can contain several keys, and any of them may have signed the token.
    let one = token.content.len() + work::PUBLIC_KEY;
    if settings.secrets.is_empty() {
        let keys = fetched(jwt, settings, token)?;
        let signed = keys.iter().fold(false, |found, it| token.is_signed_by(it) | found);
        return if signed { Ok(None) } else { Err(VerifyError::Signature) };
    }
    let (mut matched, mut unusable) = (None, None);
    for (index, secret) in settings.secrets.iter().enumerate() {
        work.take(one).ok_or(VerifyError::TooMuchWork)?;
        match is_signed(token, secret) {
            Ok(true) => matched = matched.or(Some(index)),
            Ok(false) => {},
            Err(reason) => unusable = unusable.or(Some(VerifyError::Secret { index, reason })),
        }
    }
    matched.map(Some).ok_or(unusable.unwrap_or(VerifyError::Signature))
}

/// A public key never counts as a shared secret, because everyone knows it.
fn is_signed(token: &Token<'_>, secret: &str) -> Result<bool, String> {
    let Some(hash) = token.algorithm.shared() else {
        let keys = key_set::read(secret, token.key_id.as_deref());
        let keys = keys.map_err(|it| format!("it {it}"))?;
        return Ok(keys.iter().fold(false, |found, it| token.is_signed_by(it) | found));
    };
    if secret.trim_start().starts_with('{') || secret.parse::<PublicKey>().is_ok() {
        return Err("it is a public key, and the token is signed with a shared secret".to_owned());
    }
    Ok(token.is_signed_with(hash, secret.as_bytes()))
}

fn fetched(
    jwt: &Jwt,
    settings: &Settings,
    token: &Token<'_>,
) -> Result<Vec<PublicKey>, VerifyError> {
    let id = token.key_id.as_deref();
    match &jwt.keys {
        Some(_) if token.algorithm.shared().is_some() => Err(VerifyError::NoSecret),
        Some(KeyLocation::Jwks(url)) => key_set::fetched(settings, url, id),
        Some(KeyLocation::JwksParameter) => match settings.parameter("jwks_url") {
            Some(url) => key_set::fetched(settings, url, id),
            None => Err(VerifyError::NoSecret),
        },
        Some(KeyLocation::Plaid) => plaid(settings, id).map(|it| vec![it]),
        None => Err(VerifyError::NoSecret),
    }
}

/// Plaid returns one key at a time. The fragment, which is never sent, distinguishes the responses
/// of one URL.
fn plaid(settings: &Settings, id: Option<&str>) -> Result<PublicKey, VerifyError> {
    let (Some(client), Some(secret)) =
        (settings.parameter("client_id"), settings.parameter("client_secret"))
    else {
        return Err(VerifyError::NoSecret);
    };
    let is_plain = |id: &&str| {
        let plain = |it: u8| it.is_ascii_alphanumeric() || it == b'-';
        (1..=64).contains(&id.len()) && id.bytes().all(plain)
    };
    let id = id.filter(is_plain);
    let id = id.ok_or_else(|| VerifyError::Malformed("the token names no key".to_owned()))?;
    let host = match settings.parameter("environment") {
        Some("sandbox") => "sandbox.plaid.com",
        Some(_) | None => "production.plaid.com",
    };
    let url = format!("https://{host}/webhook_verification_key/get#{id}");
    let Some(response) = settings.fetched(&url) else {
        let body = json!({ "client_id": client, "secret": secret, "key_id": id }).to_string();
        return Err(VerifyError::KeyNeeded(KeyRequest {
            url,
            headers: Vec::new(),
            body: Some(body),
        }));
    };
    let response: Option<Value> = serde_json::from_slice(response).ok();
    let key = response.as_ref().and_then(|it| it.get("key"));
    let key = key.filter(|it| it.get("kid").and_then(Value::as_str).is_none_or(|it| it == id));
    let key = key.and_then(|it| PublicKey::from_jwk(it).ok());
    key.ok_or_else(|| VerifyError::Malformed(format!("the content of {url} is not the key")))
}
