//! Requests with signatures that providers published, or that were computed apart from us.

use std::collections::BTreeMap;

use postrider::provider::{Settings, Signed, find};
use serde::Deserialize;

use super::receive;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    provider: String,
    name: String,
    /// Where it was published.
    #[serde(rename = "source")]
    _source: String,
    secrets: Vec<String>,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    now: Option<u64>,
    valid: bool,
    /// The vector has the ingredients of a request, and this is how they are put together.
    check: Option<String>,
    #[serde(default, rename = "params")]
    _params: Vec<(String, String)>,
    #[serde(rename = "expected_signature")]
    _expected_signature: Option<String>,
    #[serde(default, rename = "parts")]
    _parts: Vec<String>,
    #[serde(rename = "use")]
    _use: Option<String>,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../data/vectors.json")).unwrap()
}

#[test]
fn published_signatures_verify_and_no_other_body_does() {
    for vector in vectors().into_iter().filter(|it| it.check.is_none()) {
        let name = format!("{}: {}", vector.provider, vector.name);
        let provider = find(&vector.provider).unwrap();
        let settings = Settings::new(vector.secrets);
        let mut signed = Signed {
            method: vector.method,
            url: vector.url,
            headers: vector.headers.into_iter().collect(),
            body: vector.body.into_bytes(),
        };
        let now = vector.now.unwrap_or(1_600_000_000);
        let found = receive(provider, &settings, &signed, now);
        assert_eq!(found.is_ok(), vector.valid, "{name}: {found:?}");
        signed.body.push(b'\n');
        assert!(receive(provider, &settings, &signed, now).is_err(), "{name}, another body");
    }
}
