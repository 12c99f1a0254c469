//! Sets of public keys (JWKS), from which a token selects by key id.

use serde_json::Value;

use super::{InvalidKey, KeyRequest, PublicKey, Settings, VerifyError};

/// The candidate keys in a text: a single key in any form, or the matching keys of a set. Keys of
/// unknown kinds in a set are skipped.
pub(super) fn read(text: &str, id: Option<&str>) -> Result<Vec<PublicKey>, InvalidKey> {
    let keys = text.trim_start().starts_with('{').then(|| serde_json::from_str::<Value>(text));
    match keys {
        Some(Ok(set)) if set.get("keys").is_some() => Ok(among(&set, id)),
        Some(_) | None => text.parse().map(|it| vec![it]),
    }
}

/// The candidate keys at the URL. If the set was not fetched, or the id is not in it, it has to be
/// fetched: the set may be older than the key.
pub(super) fn fetched(
    settings: &Settings,
    url: &str,
    id: Option<&str>,
) -> Result<Vec<PublicKey>, VerifyError> {
    if !url.starts_with("https://") {
        return Err(VerifyError::Malformed(
            "the URL of the keys does not begin with https://".into(),
        ));
    }
    let set = settings.fetched(url).and_then(|it| serde_json::from_slice(it).ok());
    let keys = set.map(|it: Value| among(&it, id)).unwrap_or_default();
    if keys.is_empty() {
        let request = KeyRequest { url: url.to_owned(), headers: Vec::new(), body: None };
        return Err(VerifyError::KeyNeeded(request));
    }
    Ok(keys)
}

/// Maximum number of candidate keys for one token. Providers have a few keys, of which the token
/// names one.
const MAX_KEYS: usize = 32;

fn among(set: &Value, id: Option<&str>) -> Vec<PublicKey> {
    let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    let meant = keys.filter(|key| match (id, key.get("kid").and_then(Value::as_str)) {
        (Some(wanted), Some(id)) => wanted == id,
        (Some(_) | None, _) => true,
    });
    meant.filter_map(|it| PublicKey::from_jwk(it).ok()).take(MAX_KEYS).collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    const SET: &str = r#"{"keys":[
        {"kid":"one","kty":"OKP","crv":"Ed25519","x":"pv4BlBNy0e7f1nYFQLEpflfrFu3nsFAXPwyWP1opKn0"},
        {"kid":"two","kty":"EC","crv":"P-256","x":"SPjPXieRbZPYxdRCrC-vLcBMxdssB1Oxjlo48T35EVY","y":"aU0Q-PEq6C6bJea1b2wi5WEYx49Qdiv_DwaZ11Q3SWg"},
        {"kid":"three","kty":"oct","k":"c2VjcmV0"}
    ]}"#;

    #[test]
    fn the_id_chooses_the_key() {
        assert_eq!(read(SET, Some("one")).unwrap().len(), 1);
        assert_ne!(read(SET, Some("one")).unwrap(), read(SET, Some("two")).unwrap());
        assert_eq!(read(SET, Some("four")).unwrap(), []);
        assert_eq!(read(SET, None).unwrap().len(), 2);
    }

    #[test]
    fn a_shared_secret_in_a_key_set_is_not_a_public_key() {
        assert_eq!(read(SET, Some("three")).unwrap(), []);
    }
}
