//! Tokens for tests and for trying receivers out.

use serde_json::{Value, json};

use super::{
    super::{CannotSign, Draft, PrivateKey, Settings, Signed, crypto},
    Jwt, JwtAlgorithm, Place,
    token::{self, SigningKey},
};

/// How long a token is valid that is made here.
const LIFE_SECONDS: u64 = 300;

/// Signs with the first secret: a private key, if the provider has algorithms that take one, or
/// a shared secret. A body that is to be the token becomes its claims.
pub(in super::super) fn sign(
    jwt: &Jwt,
    settings: &Settings,
    draft: Draft,
    now_seconds: u64,
) -> Result<Signed, CannotSign> {
    let secret = settings.secrets.first().ok_or(CannotSign::NoSecret)?;
    let (algorithm, key) = key(jwt, secret)?;
    let claims = claims(jwt, settings, &draft, now_seconds)?;
    let id = settings.parameter("key_id").unwrap_or("postrider");
    let token = token::write(algorithm, id, &claims, &key);
    let (mut headers, mut body) = (Vec::new(), draft.body);
    match &jwt.token {
        Place::Header(name) => {
            let prefix = if jwt.keys.is_some() && name == "authorization" { "Bearer " } else { "" };
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
            headers.push((name.clone(), format!("{prefix}{token}")));
        },
        Place::Body => {
            headers.push(("content-type".to_owned(), "text/plain".to_owned()));
            body = token.into_bytes();
        },
    }
    Ok(Signed { method: "POST".to_owned(), url: draft.url, headers, body })
}

/// The key, and the first algorithm that takes it.
fn key<'a>(jwt: &Jwt, secret: &'a str) -> Result<(JwtAlgorithm, SigningKey<'a>), CannotSign> {
    let mut algorithms = jwt.algorithms.iter().copied();
    if let Ok(key) = secret.parse::<PrivateKey>() {
        let public = key.public_key();
        if let Some(algorithm) = algorithms.clone().find(|it| it.fits(&public)) {
            return Ok((algorithm, SigningKey::Private(Box::new(key))));
        }
    }
    let shared = algorithms.find_map(|it| Some((it, it.shared()?)));
    let (algorithm, hash) = shared.ok_or_else(|| {
        CannotSign::Secret("it is not a private key that the provider uses".into())
    })?;
    Ok((algorithm, SigningKey::Shared(hash, secret.as_bytes())))
}

fn claims(
    jwt: &Jwt,
    settings: &Settings,
    draft: &Draft,
    now_seconds: u64,
) -> Result<Value, CannotSign> {
    let mut claims = match (&jwt.token, serde_json::from_slice(&draft.body)) {
        (Place::Body, Ok(body @ Value::Object(_))) => body,
        (Place::Body, _) => return Err(CannotSign::Body("it is not a JSON object".to_owned())),
        (Place::Header(_), _) => json!({}),
    };
    claims["iat"] = now_seconds.into();
    claims["exp"] = (now_seconds + LIFE_SECONDS).into();
    if let Some(issuer) = settings.parameter("issuer").or(jwt.issuers.first().map(String::as_str)) {
        claims["iss"] = issuer.into();
    }
    let url = jwt.audience_is_url.then_some(draft.url.as_str());
    if let Some(audience) = settings.parameter("audience").or(url) {
        claims["aud"] = audience.into();
    }
    for (name, wanted) in &jwt.claims {
        claims[name] = match wanted.as_str().and_then(|it| it.strip_prefix("parameter:")) {
            Some(parameter) => settings.parameter(parameter).unwrap_or_default().into(),
            None => wanted.clone(),
        };
    }
    if let Some(it) = &jwt.body_hash {
        claims[&it.claim] = it.encoding.encode(&crypto::digest(it.hash, &draft.body)).into();
    }
    Ok(claims)
}
