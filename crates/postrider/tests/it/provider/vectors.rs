//! Requests with signatures that providers published, or that were computed apart from us.

use std::collections::BTreeMap;

use postrider::provider::{
    self, Model, Provider, Received, Reply, Settings, SignedRequest, UnsignedRequest, find,
};
use serde::Deserialize;

use super::{receive, with_request};

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
    #[serde(default)]
    params: Vec<(String, String)>,
    #[serde(default)]
    expected_signature: String,
    #[serde(default)]
    parts: Vec<String>,
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
        let mut signed = SignedRequest {
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

/// The response to a handshake.
fn ask(id: &str, settings: &Settings, signed: &SignedRequest, now_seconds: u64) -> String {
    let provider = find(id).unwrap();
    let received =
        with_request(signed, |it| provider::receive(provider, settings, it, now_seconds)).unwrap();
    let Received::Handshake(Reply { body, .. }) = received else { panic!("{id}: {received:?}") };
    String::from_utf8(body).unwrap()
}

fn get(url: String) -> SignedRequest {
    SignedRequest { method: "GET".to_owned(), url, headers: Vec::new(), body: Vec::new() }
}

fn post(url: &str, headers: &[(&str, &str)], body: String) -> SignedRequest {
    let headers = headers.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
    let (method, url) = ("POST".to_owned(), url.to_owned());
    SignedRequest { method, url, headers: headers.collect(), body: body.into_bytes() }
}

#[test]
fn requests_of_published_ingredients_verify() {
    for vector in vectors() {
        let Some(check) = &vector.check else { continue };
        let settings = Settings::new(&vector.secrets);
        let expected = &vector.expected_signature;
        let name = format!("{}: {}", vector.provider, vector.name);
        let verify = |signed: &SignedRequest| {
            let found = receive(find(&vector.provider).unwrap(), &settings, signed, 1_600_000_000);
            found.unwrap_or_else(|it| panic!("{name}: {it}"))
        };
        match check.as_str() {
            "adyen_item" => {
                let mut item: serde_json::Value = serde_json::from_str(&vector.body).unwrap();
                item["additionalData"] = serde_json::json!({ "hmacSignature": expected });
                let items = serde_json::json!([{ "NotificationRequestItem": item }]);
                let body = serde_json::json!({ "live": "false", "notificationItems": items });
                verify(&post(&vector.url, &[], body.to_string()));
            },
            "twilio" => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                let headers = [
                    ("content-type", "application/x-www-form-urlencoded"),
                    ("x-twilio-signature", expected),
                ];
                let body = form.extend_pairs(&vector.params).finish();
                verify(&post(&vector.url, &headers, body));
            },
            "dropbox_sign" => {
                let body = format!(
                    "--x\r\ncontent-disposition: form-data; name=\"json\"\r\n\r\n{}\r\n--x--\r\n",
                    vector.body
                );
                let headers = [("content-type", "multipart/form-data; boundary=x")];
                verify(&post(&vector.url, &headers, body));
            },
            "paypal_message" => check_paypal(&vector),
            other => {
                let response = challenge(other, &vector, settings.clone());
                assert!(response.contains(expected.as_str()), "{name}: {response}");
            },
        }
    }
}

/// The certificate was not published, so that only the message that it signs can be held
/// against the published one.
fn check_paypal(vector: &Vector) {
    let model = r#"{"verify":{"scheme":"digest","signature":"query:digest","content":
        "{header:paypal-transmission-id}|{header:paypal-transmission-time}|{secret}|{body_crc32}"}}"#;
    let provider = Provider::new("custom", Model::from_json(model).unwrap());
    // SHA-256 of the message as it was published.
    let digest = "d46e94b970523f60fd26c111d4b0e36d3b1a67f47bed53739bed7a39a9a9735c";
    let signed = SignedRequest {
        url: format!("{}?digest={digest}", vector.url),
        headers: vector.headers.clone().into_iter().collect(),
        ..post(&vector.url, &[], vector.body.clone())
    };
    receive(&provider, &Settings::new(&vector.secrets), &signed, 0).unwrap();
}

fn challenge(check: &str, vector: &Vector, mut settings: Settings) -> String {
    let (id, url, asked) = (&vector.provider, &vector.url, &vector.body);
    let now = 1_600_000_000;
    let mut set = |name: &str, value: &str| {
        settings.parameters.insert(name.to_owned(), value.to_owned().into());
    };
    match check {
        "x_crc" => ask(id, &settings, &get(format!("{url}?crc_token={asked}")), now),
        "braintree_challenge" => {
            set("public_key", "integration_public_key");
            ask(id, &settings, &get(format!("{url}?bt_challenge={asked}")), now)
        },
        "ebay_challenge" => {
            let [code, token, url] = &vector.parts[..] else { panic!("{:?}", vector.parts) };
            set("verification_token", token);
            ask(id, &settings, &get(format!("{url}?challenge_code={code}")), now)
        },
        "zoom_validation" => {
            let payload = serde_json::json!({ "plainToken": asked });
            let body =
                serde_json::json!({ "event": "endpoint.url_validation", "payload": payload });
            let draft = UnsignedRequest {
                url: url.clone(),
                body: body.to_string().into_bytes(),
                ..UnsignedRequest::default()
            };
            let signed = provider::sign(find(id).unwrap(), &settings, draft, now).unwrap();
            ask(id, &settings, &signed, now)
        },
        other => panic!("{other} is not known"),
    }
}
