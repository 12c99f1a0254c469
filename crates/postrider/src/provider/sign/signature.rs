//! Creates the signatures that the engine verifies.

use super::{
    super::{
        Settings,
        content::ContentValues,
        crypto,
        model::{Encoding, SharedSecret, Signature, Timestamp, Unit},
        public_key::{PrivateKey, SignedHash},
        selector::Selector,
        values::Values,
        verify::{Algorithm, hmac_key},
    },
    Outgoing, SignError, SignedRequest,
};

pub(super) fn sign(
    signature: &Signature,
    algorithm: Algorithm,
    settings: &Settings,
    mut outgoing: Outgoing,
    now_seconds: u64,
) -> Result<SignedRequest, SignError> {
    let secret = first(settings)?;
    let mut fields = Vec::new();
    let mut timestamp = String::new();
    if let Some(it) = &signature.timestamp {
        timestamp = written(it, now_seconds);
        put_value(&it.source, &timestamp, &mut fields, &mut outgoing)?;
    }
    let id = outgoing.event_id.clone();
    if let Some(source) = &signature.id {
        put_value(source, &id, &mut fields, &mut outgoing)?;
    }
    complete(signature, &mut outgoing)?;
    let key = match algorithm {
        Algorithm::Hmac | Algorithm::Digest => {
            hmac_key(secret, signature.key).map_err(|it| SignError::Secret(it.to_owned()))?.to_vec()
        },
        Algorithm::Ed25519 | Algorithm::Ecdsa | Algorithm::Rsa => Vec::new(),
    };
    let content = outgoing.with_request(|request| {
        let values = Values::new(request);
        let filling =
            ContentValues { values: &values, timestamp: &timestamp, id: &id, secret: &key };
        let pieces = signature.content.pieces(filling);
        let pieces = pieces.map_err(|it| SignError::Body(format!("it lacks {it}")))?;
        Ok(pieces.concat())
    })?;
    let bytes = match algorithm {
        Algorithm::Hmac => crypto::hmac(signature.hash, &key, &content),
        Algorithm::Digest => crypto::digest(signature.hash, &content),
        Algorithm::Ed25519 | Algorithm::Ecdsa | Algorithm::Rsa => {
            let key: PrivateKey =
                secret.parse().map_err(|it| SignError::Secret(format!("it {it}")))?;
            let hash: Option<SignedHash> = signature.hash.into();
            let hash =
                hash.ok_or(SignError::Unsupported("its hash is not supported with public keys"))?;
            key.sign(hash, &content)
        },
    };
    let fields: Vec<_> = fields.iter().map(|(name, it)| (*name, it.as_str())).collect();
    let text = signature.parse.write(&fields, &signature.encoding.encode(&bytes));
    outgoing.put(&signature.signature, &text)?;
    Ok(outgoing.request)
}

fn first(settings: &Settings) -> Result<&str, SignError> {
    settings.secrets.first().map(|it| it.as_str()).ok_or(SignError::NoSecret)
}

/// Writes a value where the receiver looks for it.
fn put_value<'a>(
    source: &'a Selector,
    text: &str,
    fields: &mut Vec<(&'a str, String)>,
    outgoing: &mut Outgoing,
) -> Result<(), SignError> {
    match source {
        Selector::Field(name) => {
            fields.push((name, text.to_owned()));
            Ok(())
        },
        // Numbers in JSON bodies are numbers.
        Selector::Json(path) if text.parse::<u64>().is_ok() => outgoing.put_json(path, text),
        Selector::Json(_)
        | Selector::Header(_)
        | Selector::Query(_)
        | Selector::Form(..)
        | Selector::Key(_) => outgoing.put(source, text),
    }
}

/// Adds further signed values that are missing, such as a random token.
fn complete(signature: &Signature, outgoing: &mut Outgoing) -> Result<(), SignError> {
    for source in signature.content.selectors() {
        let there = outgoing.with_request(|it| Values::new(it).first(source, &[]).is_some());
        if !there {
            let id = outgoing.event_id.clone();
            outgoing.put(source, &id)?;
        }
    }
    Ok(())
}

fn written(timestamp: &Timestamp, now_seconds: u64) -> String {
    match timestamp.unit {
        Unit::S => now_seconds.to_string(),
        Unit::Ms | Unit::SOrMs => (now_seconds * 1000).to_string(),
        Unit::Rfc3339 => {
            let seconds = now_seconds.try_into().unwrap_or(i64::MAX);
            jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
        },
    }
}

pub(super) fn shared_secret(
    shared: &SharedSecret,
    settings: &Settings,
    mut outgoing: Outgoing,
) -> Result<SignedRequest, SignError> {
    let secret = first(settings)?;
    let bare = super::super::signature::strip_prefix(secret, &shared.prefix).unwrap_or(secret);
    let text = format!("{}{bare}", shared.prefix);
    outgoing.put(&shared.source, &text)?;
    Ok(outgoing.request)
}

pub(super) fn basic(
    settings: &Settings,
    mut outgoing: Outgoing,
) -> Result<SignedRequest, SignError> {
    let credentials = Encoding::Base64.encode(first(settings)?.as_bytes());
    outgoing.put_header("authorization", &format!("Basic {credentials}"));
    Ok(outgoing.request)
}
