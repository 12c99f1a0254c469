//! Amazon SNS: the JSON body names the certificate whose key signed some of its fields.
//!
//! Anyone with an AWS account can make SNS sign messages of their own topic, so a genuine signature
//! alone proves little. The secrets are therefore the ARNs of the expected topics.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    super::{
        PublicKey, SignError, SignedHash, SignedRequest, VerifyError, crypto,
        json::{self, Kind},
        public_key::{Certificate, decode_base64},
        verify::SchemeMatch,
    },
    encode, key_url,
    signing::SigningContext,
    verifying::{VerifyingContext, malformed, unambiguous},
};

const OF_NOTIFICATION: [&str; 6] =
    ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const OF_CONFIRMATION: [&str; 7] =
    ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let body = unambiguous(context.json()?)?;
    let text = |name: &str| {
        let text = json::member(body, name).and_then(json::text);
        text.ok_or_else(|| VerifyError::Missing(format!("json:{name}")))
    };
    context.check_timestamp(&text("Timestamp")?, None)?;
    let topic = text("TopicArn")?;
    let matched = context.matching(|secret| Ok(crypto::equal_secrets(secret, &topic)))?;
    let hash = match &*text("SignatureVersion")? {
        "1" => SignedHash::Sha1,
        "2" => SignedHash::Sha256,
        _ => return Err(malformed("SignatureVersion is neither 1 nor 2")),
    };
    let signature = decode_base64(&text("Signature")?);
    let signature = signature.ok_or_else(|| malformed("Signature is not base64"))?;
    let content = content(body)?;
    let key = key(context, text("SigningCertURL"))?;
    if !key.verifies(hash, content.as_bytes(), &signature) {
        return Err(VerifyError::Signature);
    }
    Ok(matched)
}

fn key(
    context: &VerifyingContext<'_>,
    url: Result<Cow<'_, str>, VerifyError>,
) -> Result<PublicKey, VerifyError> {
    if let Some(pinned) = context.settings.parameter("certificate") {
        return pinned.parse().map_err(|it| malformed(&format!("parameter certificate {it}")));
    }
    let url = &*url?;
    if !is_certificate_url(url) {
        return Err(malformed("SigningCertURL is not a URL of Amazon SNS"));
    }
    let Some(pem) = context.settings.fetched(url) else {
        return Err(VerifyError::KeyNeeded(key_url::fetch(url)));
    };
    let certificate = Certificate::from_pem(pem);
    let certificate = certificate.map_err(|it| malformed(&format!("the content of {url} {it}")))?;
    if !certificate.validity.contains(&context.now_seconds) {
        return Err(malformed("the certificate is not valid at this time"));
    }
    if !certificate.names.iter().any(|it| is_sns(it)) {
        return Err(malformed("the certificate does not belong to Amazon SNS"));
    }
    let key = PublicKey::from_certificate(&certificate);
    key.map_err(|it| malformed(&format!("the content of {url} {it}")))
}

fn is_certificate_url(url: &str) -> bool {
    let parts = key_url::host_and_path(url);
    // This rule is Amazon's. Its names are lower-case.
    parts.is_some_and(|(host, path)| is_regional(host) && path.strip_suffix(".pem").is_some())
}

/// Matches `sns.REGION.amazonaws.com` and `.com.cn`.
fn is_regional(host: &str) -> bool {
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let region = host.strip_prefix("sns.").and_then(|it| it.strip_suffix(".amazonaws.com"));
    region.is_some_and(|it| it.len() >= 3 && !it.contains('.'))
}

/// Matches the names in certificates: `sns.amazonaws.com`, `sns-signing.REGION.amazonaws.com` and
/// `sns-REGION.amazonaws.com.cn`.
fn is_sns(name: &str) -> bool {
    let name = name.strip_suffix(".cn").unwrap_or(name);
    name.ends_with(".amazonaws.com") && (name.starts_with("sns.") || name.starts_with("sns-"))
}

/// The names and values of the signed fields, one per line.
fn content(body: &RawValue) -> Result<String, VerifyError> {
    let kind = json::member(body, "Type").and_then(json::text);
    let fields: &[_] = match kind.as_deref() {
        Some("Notification") => &OF_NOTIFICATION,
        Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => &OF_CONFIRMATION,
        Some(_) | None => return Err(malformed("json:Type is not a message type of Amazon SNS")),
    };
    let mut content = String::new();
    for name in fields {
        let value = json::member(body, name).filter(|it| json::kind(it) != Kind::Null);
        if let Some(text) = value.and_then(json::text) {
            content.extend([name, "\n", &text, "\n"]);
        } else if *name != "Subject" || value.is_some() {
            return Err(VerifyError::Missing(format!("json:{name}")));
        }
    }
    Ok(content)
}

/// Adds missing fields to the body and signs it with the parameter `private_key`.
pub(super) fn sign(mut context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let key = context.parameter_key("private_key")?;
    let mut body = context.json()?;
    if json::member(&body, "Type").is_none() {
        let message = serde_json::json!({ "Type": "Notification", "Message": body.get() });
        body = RawValue::from_string(message.to_string()).expect("an object is JSON");
    }
    let id = context.draft.event_id.clone();
    let id = id.unwrap_or_else(|| "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324".to_owned());
    let defaults = [
        ("MessageId", id),
        ("TopicArn", context.secret()?.to_owned()),
        ("Timestamp", context.now_rfc3339()),
        ("SignatureVersion", "2".to_owned()),
        ("SigningCertURL", "https://sns.us-east-1.amazonaws.com/postrider.pem".to_owned()),
    ];
    let put = |body: &RawValue, name: &str, value: &str| {
        let put = json::with_member(body, name, &json::quoted(value));
        put.ok_or_else(|| SignError::Body("it is not an object".to_owned()))
    };
    for (name, value) in defaults {
        if json::member(&body, name).is_none() {
            body = put(&body, name, &value)?;
        }
    }
    let text = |body: &RawValue, name: &str| {
        json::member(body, name).and_then(json::text).unwrap_or_default().into_owned()
    };
    let is_old = text(&body, "SignatureVersion") == "1";
    let hash = if is_old { SignedHash::Sha1 } else { SignedHash::Sha256 };
    let content = content(&body).map_err(|it| SignError::Body(it.to_string()))?;
    let signature = encode::base64(key.sign(hash, content.as_bytes()));
    body = put(&body, "Signature", &signature)?;
    let [kind, id, topic] = ["Type", "MessageId", "TopicArn"].map(|it| text(&body, it));
    context.draft.body = body.get().as_bytes().to_vec();
    let headers = [
        ("x-amz-sns-message-type", kind.as_str()),
        ("x-amz-sns-message-id", &id),
        ("x-amz-sns-topic-arn", &topic),
    ];
    Ok(context.signed("text/plain; charset=UTF-8", &headers))
}

#[cfg(test)]
mod tests {
    use super::{is_certificate_url, is_sns};

    #[test]
    fn certificates_are_fetched_only_from_hosts_of_sns() {
        for url in [
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-ac565b8b1a6c5d002d285f9598aa1d9b.pem",
            "https://sns.us-gov-west-1.amazonaws.com/a.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
        ] {
            assert!(is_certificate_url(url), "{url}");
        }
        for url in [
            "http://sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.evil.com/a.pem",
            "https://sns.us-east-1.amazonaws.com.evil.com/a.pem",
            "https://sns.us-east-1.amazonaws.com.cn.evil.com/a.pem",
            "https://evil.com/sns.us-east-1.amazonaws.com/a.pem",
            "https://evilsns.us-east-1.amazonaws.com/a.pem",
            "https://bucket.s3.amazonaws.com/a.pem",
            "https://sns.amazonaws.com/a.pem",
            "https://sns.a.amazonaws.com/a.pem",
            "https://sns.us-east-1.evil.amazonaws.com/a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com:8443/a.pem",
            "https://sns.us-east-1.amazonaws.com@evil.com/a.pem",
            "https://user@sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com/a.pem?x=.pem",
            "https://sns.us-east-1.amazonaws.com/a.pem#.pem",
            "https://sns.us-east-1.amazonaws.com/a.crt",
            "https://sns.us-east-1.amazonaws.com/%2e%2e/a.pem",
            "https://sns.us-east-1.amazonaws.com/../a.pem",
            "https://sns.us-east-1.amazonaws.com\\@evil.com/a.pem",
            "https://SNS.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com",
            "https:///a.pem",
            "sns.us-east-1.amazonaws.com/a.pem",
            "",
        ] {
            assert!(!is_certificate_url(url), "{url}");
        }
    }

    #[test]
    fn only_certificates_of_sns_are_accepted() {
        for name in [
            "sns.amazonaws.com",
            "sns-signing.ap-east-1.amazonaws.com",
            "sns-us-gov-west-1.amazonaws.com",
            "sns-cn-north-1.amazonaws.com.cn",
        ] {
            assert!(is_sns(name), "{name}");
        }
        for name in
            ["amazonaws.com", "s3.amazonaws.com", "sns.evil.com", "sns.amazonaws.com.evil.com"]
        {
            assert!(!is_sns(name), "{name}");
        }
    }
}
