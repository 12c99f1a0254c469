//! Creates tokens, for tests and sample events.

use serde_json::{Value, value::RawValue};

use super::{
    super::{
        PrivateKey, Settings, SignError, SignedRequest, UnsignedRequest, crypto,
        json::{self, Kind},
    },
    Jwt, JwtAlgorithm, TokenLocation,
    token::{self, SigningKey},
};

/// Lifetime of a created token.
const LIFE_SECONDS: u64 = 300;

/// Signs with the first secret: a private key, if the provider has an algorithm for it, or a shared
/// secret. If the token is the body, the body's members become its claims.
pub(in super::super) fn sign(
    jwt: &Jwt,
    settings: &Settings,
    draft: UnsignedRequest,
    now_seconds: u64,
) -> Result<SignedRequest, SignError> {
    let secret = settings.secrets.first().ok_or(SignError::NoSecret)?;
    let (algorithm, key) = key(jwt, secret)?;
    let claims = claims(jwt, settings, &draft, now_seconds)?;
    let id = settings.parameter("key_id").unwrap_or("postrider");
    let token = token::write(algorithm, id, &claims, &key);
    let (mut headers, mut body) = (Vec::new(), draft.body);
    match &jwt.token {
        TokenLocation::Header(name) => {
            let prefix = if jwt.keys.is_some() && name == "authorization" { "Bearer " } else { "" };
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
            headers.push((name.clone(), format!("{prefix}{token}")));
        },
        TokenLocation::Body => {
            headers.push(("content-type".to_owned(), "text/plain".to_owned()));
            body = token.into_bytes();
        },
    }
    Ok(SignedRequest { method: "POST".to_owned(), url: draft.url, headers, body })
}

/// The key, and the first algorithm that can use it.
fn key<'a>(jwt: &Jwt, secret: &'a str) -> Result<(JwtAlgorithm, SigningKey<'a>), SignError> {
    let mut algorithms = jwt.algorithms.iter().copied();
    if let Ok(key) = secret.parse::<PrivateKey>() {
        let public = key.public_key();
        if let Some(algorithm) = algorithms.clone().find(|it| it.fits(&public)) {
            return Ok((algorithm, SigningKey::Private(Box::new(key))));
        }
    }
    let shared = algorithms.find_map(|it| Some((it, it.shared()?)));
    let (algorithm, hash) = shared.ok_or_else(|| {
        SignError::Secret("it is not a private key that the provider uses".into())
    })?;
    Ok((algorithm, SigningKey::Shared(hash, secret.as_bytes())))
}

fn claims(
    jwt: &Jwt,
    settings: &Settings,
    draft: &UnsignedRequest,
    now_seconds: u64,
) -> Result<Box<RawValue>, SignError> {
    let body = match &jwt.token {
        TokenLocation::Body => draft.body.as_slice(),
        TokenLocation::Header(_) => b"{}",
    };
    let body = json::document(body).ok().filter(|it| json::kind(it) == Kind::Object);
    let body = body.ok_or_else(|| SignError::Body("it is not a JSON object".to_owned()))?;
    let added = added(jwt, settings, draft, now_seconds);
    let put = |claims: Box<RawValue>, (name, value): (String, Value)| {
        json::with_member(&claims, &name, &value.to_string()).expect("an object takes a member")
    };
    Ok(added.into_iter().fold(body.to_owned(), put))
}

/// The claims that are added to the body.
fn added(
    jwt: &Jwt,
    settings: &Settings,
    draft: &UnsignedRequest,
    now_seconds: u64,
) -> Vec<(String, Value)> {
    let mut claims: Vec<(String, Value)> = vec![
        ("iat".to_owned(), now_seconds.into()),
        ("exp".to_owned(), (now_seconds + LIFE_SECONDS).into()),
    ];
    let mut add = |name: &str, value: Value| claims.push((name.to_owned(), value));
    if let Some(issuer) = settings.parameter("issuer").or(jwt.issuers.first().map(String::as_str)) {
        add("iss", issuer.into());
    }
    let url = jwt.audience_is_url.then_some(draft.url.as_str());
    if let Some(audience) = settings.parameter("audience").or(url) {
        add("aud", audience.into());
    }
    for (name, wanted) in &jwt.claims {
        let parameter = wanted.as_str().and_then(|it| it.strip_prefix("parameter:"));
        let of_settings = |it| settings.parameter(it).unwrap_or_default().into();
        add(name, parameter.map_or_else(|| wanted.clone(), of_settings));
    }
    if let Some(it) = &jwt.body_hash {
        add(&it.claim, it.encoding.encode(&crypto::digest(it.hash, &draft.body)).into());
    }
    claims
}
