//! PayPal: RSA over ids, time and the checksum of the body, with a certificate that a header names.
//! The secrets are the ids of the webhooks: they are not secret, but without them a genuine webhook
//! for another account would be accepted.

use super::{
    super::{
        PublicKey, SignError, SignedHash, SignedRequest, VerifyError,
        public_key::{Certificate, decode_base64},
        verify::SchemeMatch,
    },
    encode, key_url,
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let id = context.header("paypal-transmission-id")?;
    let time = context.header("paypal-transmission-time")?;
    let signature = decode_base64(context.header("paypal-transmission-sig")?);
    let signature =
        signature.ok_or_else(|| malformed("header:paypal-transmission-sig is not base64"))?;
    if !context.header("paypal-auth-algo")?.eq_ignore_ascii_case("SHA256withRSA") {
        return Err(malformed("header:paypal-auth-algo is not SHA256withRSA"));
    }
    context.check_timestamp(time, None)?;
    if context.settings.secrets.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let key = key(context)?;
    context.matching(|webhook| {
        let content = content(id, time, webhook, context.request.body);
        Ok(key.verifies(SignedHash::Sha256, content.as_bytes(), &signature))
    })
}

fn key(context: &VerifyingContext<'_>) -> Result<PublicKey, VerifyError> {
    if let Some(pinned) = context.settings.parameter("certificate") {
        return pinned.parse().map_err(|it| malformed(&format!("parameter certificate {it}")));
    }
    let url = context.header("paypal-cert-url")?;
    if !is_certificate_url(url) {
        return Err(malformed("header:paypal-cert-url is not a URL of PayPal's certificates"));
    }
    let Some(pem) = context.settings.fetched(url) else {
        return Err(VerifyError::KeyNeeded(key_url::fetch(url)));
    };
    let certificate = Certificate::from_pem(pem);
    let certificate = certificate.map_err(|it| malformed(&format!("the content of {url} {it}")))?;
    if !certificate.validity.contains(&context.now_seconds) {
        return Err(malformed("the certificate is not valid at this time"));
    }
    if !certificate.names.iter().any(|it| is_of_paypal(it)) {
        return Err(malformed("the certificate does not belong to PayPal"));
    }
    let key = PublicKey::from_certificate(&certificate);
    key.map_err(|it| malformed(&format!("the content of {url} {it}")))
}

fn is_certificate_url(url: &str) -> bool {
    let parts = key_url::host_and_path(url);
    parts.is_some_and(|(host, path)| {
        is_of_paypal(host) && path.starts_with("v1/notifications/certs/")
    })
}

fn is_of_paypal(host: &str) -> bool {
    host.ends_with(".paypal.com")
}

fn content(id: &str, time: &str, webhook: &str, body: &[u8]) -> String {
    format!("{id}|{time}|{webhook}|{}", crc32fast::hash(body))
}

/// Signs with the parameter `private_key`.
pub(super) fn sign(context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let key = context.parameter_key("private_key")?;
    let id = context.draft.event_id.clone();
    let id = id.unwrap_or_else(|| "dfb3be50-fd74-11e4-8bf3-77339302725b".to_owned());
    let time = context.now_rfc3339();
    let content = content(&id, &time, context.secret()?, &context.draft.body);
    let signature = encode::base64(key.sign(SignedHash::Sha256, content.as_bytes()));
    let headers = [
        ("paypal-transmission-id", id.as_str()),
        ("paypal-transmission-time", &time),
        ("paypal-transmission-sig", &signature),
        ("paypal-auth-algo", "SHA256withRSA"),
        ("paypal-cert-url", "https://api.paypal.com/v1/notifications/certs/CERT-postrider"),
    ];
    Ok(context.signed(JSON, &headers))
}

#[cfg(test)]
mod tests {
    use super::is_certificate_url;

    #[test]
    fn certificates_are_fetched_only_from_paypal() {
        for url in [
            "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77",
            "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270",
        ] {
            assert!(is_certificate_url(url), "{url}");
        }
        for url in [
            "http://api.paypal.com/v1/notifications/certs/CERT-1",
            "https://paypal.com.evil.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com.evil.com/v1/notifications/certs/CERT-1",
            "https://evilpaypal.com/v1/notifications/certs/CERT-1",
            "https://evil.com/api.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com@evil.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
            "https://evil.com#.paypal.com/v1/notifications/certs/CERT-1",
            "https://evil.com?.paypal.com/v1/notifications/certs/CERT-1",
            "https://evil.com\\.paypal.com/v1/notifications/certs/CERT-1",
            "https://.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com/v1/notifications/certs/../../redirect",
            "https://api.paypal.com/v1/notifications/certs/CERT-1?next=x",
            "https://api.paypal.com/v1/oauth2/token",
            "https://www.paypal.com/anything",
        ] {
            assert!(!is_certificate_url(url), "{url}");
        }
    }

    #[test]
    fn the_signed_content_is_that_of_paypal_s_library() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap();
        let vector = vectors.as_array().unwrap().iter().find(|it| it["check"] == "paypal_message");
        let vector = vector.unwrap();
        let content = super::content(
            "dfb3be50-fd74-11e4-8bf3-77339302725b",
            "2015-05-18T15:45:13Z",
            "4JH86294D6297924G",
            vector["body"].as_str().unwrap().as_bytes(),
        );
        let expected = "dfb3be50-fd74-11e4-8bf3-77339302725b|2015-05-18T15:45:13Z|4JH86294D6297924G|2771810304";
        assert_eq!(content, expected);
    }
}
