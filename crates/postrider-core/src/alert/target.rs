//! Where alerts are sent to, as targets of the senders that deliver messages.

use http::HeaderValue;
use percent_encoding::percent_decode_str;
use postrider::{ApplicationId, EndpointId, api::EndpointKind};
use serde_json::{Value, json};
use url::Url;

use crate::{
    catalog::{Endpoint, SealedSecret},
    kind::{Destination, Fields, Problem},
    request::{Prepared, SignatureHeaders},
    target::Target,
    time::Timestamp,
    vault::Vault,
};

/// E-mail over an SMTP server: `smtp://host`, `smtps://host`, with a port, and with a user name and
/// password. The connection of `smtp` is upgraded with STARTTLS, unless the URL ends with
/// `?tls=none`.
///
/// # Errors
///
/// If the server or an address cannot be used.
pub fn email(server: &Url, from: &str, to: &[String]) -> Result<Target, Vec<Problem>> {
    let mut config = json!({
        "host": server.host_str().unwrap_or_default(),
        "tls": encryption(server)?,
        "from": from,
        "to": to,
        "subject": "{{ payload.data.subject }}",
        "text": "{{ payload.data.text }}",
    });
    if let Some(port) = server.port() {
        config["port"] = port.into();
    }
    if !server.username().is_empty() {
        config["username"] = decoded(server.username())?;
        config["password"] = decoded(server.password().unwrap_or_default())?;
    }
    target(EndpointKind::Email, config)
}

fn encryption(server: &Url) -> Result<&'static str, Vec<Problem>> {
    match (server.scheme(), server.query()) {
        ("smtp", None) => Ok("starttls"),
        ("smtp", Some("tls=none")) => Ok("none"),
        ("smtps", None) => Ok("implicit"),
        _ => {
            let expected = "must be smtp://… or smtps://…; only `?tls=none` may follow";
            Err(vec![Problem::of("smtp_url", expected)])
        },
    }
}

fn decoded(text: &str) -> Result<Value, Vec<Problem>> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| vec![Problem::of("smtp_url", "must be UTF-8")])?;
    Ok(decoded.into_owned().into())
}

/// An incoming webhook of Slack.
///
/// # Errors
///
/// If the URL cannot be used.
pub fn slack(url: &str) -> Result<Target, Vec<Problem>> {
    let text = "*{{ payload.data.subject }}*\n{{ payload.data.text }}";
    target(EndpointKind::Slack, json!({ "url": url, "text": text }))
}

/// Any URL, which gets a signed JSON document.
///
/// # Errors
///
/// If the URL cannot be used.
pub fn webhook(
    url: &str,
    (vault, secret): (&Vault, &SealedSecret),
    user_agent: &HeaderValue,
) -> Result<Target, Vec<Problem>> {
    let problem = |message: String| vec![Problem::of("webhook_url", message)];
    let endpoint = endpoint(url, secret).map_err(|error| problem(error.to_string()))?;
    let prepared = Prepared::new(&endpoint, vault, SignatureHeaders::Standard, user_agent)
        .map_err(|error| problem(error.to_string()))?;
    Ok(of(Destination::Http(Box::new(prepared))))
}

/// Everything else has its default.
fn endpoint(url: &str, secret: &SealedSecret) -> serde_json::Result<Endpoint> {
    serde_json::from_value(json!({
        "id": EndpointId::from_u128(0),
        "application": ApplicationId::from_u128(0),
        "url": url,
        "description": "",
        "headers": {},
        "metadata": {},
        "disabled": false,
        "secret": secret,
        "retired_secrets": [],
        "created_at": Timestamp::default(),
        "updated_at": Timestamp::default(),
    }))
}

fn target(kind: EndpointKind, config: Value) -> Result<Target, Vec<Problem>> {
    let fields: Fields = serde_json::from_value(config).expect("the configuration is an object");
    Ok(of(Destination::parse(kind, &fields)?))
}

const fn of(destination: Destination) -> Target {
    let (application, endpoint) = (ApplicationId::from_u128(0), EndpointId::from_u128(0));
    Target { application, endpoint, destination, script: None, is_shadow: false }
}

#[cfg(test)]
mod tests {
    use postrider::signature::{Kind, Secret};

    use super::*;

    #[test]
    fn a_mail_server_is_a_url() {
        let to = ["ops@example.com".to_owned()];
        for (url, expected) in [
            ("smtp://mail.example.com", Some("smtp://mail.example.com:587")),
            ("smtp://localhost:25?tls=none", Some("smtp://localhost:25")),
            ("smtps://a%40b:p%3Aw@mail.example.com", Some("smtps://mail.example.com:465")),
            ("http://mail.example.com", None),
            ("smtp://mail.example.com?tls=maybe", None),
            ("smtp://u:p@mail.example.com?tls=none", None),
            ("smtp://u:%ff@mail.example.com", None),
        ] {
            let target = email(&url.parse().unwrap(), "postrider@example.com", &to);
            let address = target.as_ref().ok().map(|it| it.destination.address());
            assert_eq!(address.as_deref(), expected, "{url}: {target:?}");
        }
        let url = "smtp://mail.example.com".parse().unwrap();
        assert!(email(&url, "no-address", &to).is_err());
        assert!(email(&url, "a@example.com", &[]).is_err());
    }

    #[test]
    fn other_channels_are_urls() {
        assert!(slack("https://hooks.slack.com/services/T/B/x").is_ok());
        assert!(slack("ftp://hooks.slack.com/").is_err());
        let vault = Vault::new("a secret that is long enough to be one");
        let secret = vault.seal(&Secret::generate(Kind::Symmetric, [7; 32]), [1; 24]);
        let agent = HeaderValue::from_static("Postrider");
        let target = webhook("https://example.com/hook", (&vault, &secret), &agent).unwrap();
        assert_eq!(target.destination.address(), "https://example.com/hook");
        assert!(webhook("no url", (&vault, &secret), &agent).is_err());
    }
}
