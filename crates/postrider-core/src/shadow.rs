//! The requests of applications in shadow mode, which are recorded and not sent.

use bytes::Bytes;
use http::{HeaderMap, Request};

use crate::{
    delivery::ShadowRequest,
    kind::MASK,
    request::{Prepared, is_sensitive},
};

/// What the attempt says in place of a response.
pub const NOT_SENT: &str = "not sent: the application is in shadow mode";

/// The record of a request that would have been made.
pub fn record(prepared: &Prepared, request: &Request<Bytes>) -> ShadowRequest {
    ShadowRequest {
        method: request.method().to_string(),
        url: prepared.url.to_string(),
        headers: shown(request.headers()),
    }
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |name: &str, value: &http::HeaderValue| {
        if value.is_sensitive() || is_sensitive(name) {
            return MASK.to_owned();
        }
        String::from_utf8_lossy(value.as_bytes()).into_owned()
    };
    headers.iter().map(|(name, it)| (name.to_string(), value(name.as_str(), it))).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::{
        catalog::Endpoint, fixtures, request::SignatureHeaders, time::Timestamp, vault::Vault,
    };

    #[test]
    fn a_record_has_the_signature_and_no_credentials() {
        let vault = Vault::new("main");
        let secret =
            vault.seal(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap(), [1; 24]);
        let headers = [("authorization".to_owned(), "Bearer sesame".to_owned())].into();
        let headers = vault.seal_at_rest(&headers, [2; 24]);
        let endpoint = Endpoint { headers, secret, ..fixtures::endpoint() };
        let agent = HeaderValue::from_static("Postrider/test");
        let prepared =
            Prepared::new(&endpoint, &vault, SignatureHeaders::Standard, &agent).unwrap();
        let message = fixtures::message();
        let body = message.body.clone().unwrap();
        let request = prepared.request(&message, body, Timestamp::from_millis(1_700_000_000_000));
        let record = record(&prepared, &request);
        let value = |name: &str| {
            record.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(
            (record.method.as_str(), record.url.as_str()),
            ("POST", "https://example.com/hook")
        );
        assert_eq!(value("authorization"), Some(MASK));
        assert_eq!(value("webhook-timestamp"), Some("1700000000"));
        assert!(value("webhook-signature").is_some_and(|it| it.starts_with("v1,")));
    }
}
