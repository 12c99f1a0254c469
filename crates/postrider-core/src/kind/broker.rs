//! What the configurations of brokers have in common: the URL, headers and the body of a message.

use std::collections::BTreeMap;

use url::Url;

use super::{Credential, Problem, service_url::decode};
use crate::template::{Json, Template, Text};

/// Most headers, fields or properties that an endpoint may set.
pub const MAX_HEADERS: usize = 50;

/// Where a broker is and who connects, as its URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub host: String,
    pub port: u16,
    pub is_tls: bool,
    pub user: Option<String>,
    pub password: Option<Credential>,
}

/// The schemes of a broker's URLs, without and with TLS, and the ports that they imply.
pub(super) struct Schemes {
    pub plain: (&'static str, u16),
    pub tls: (&'static str, u16),
}

impl Broker {
    /// Reads a URL, or says what it must be.
    pub(super) fn parse(url: &Url, schemes: &Schemes) -> Result<Self, String> {
        let (plain, tls) = (schemes.plain, schemes.tls);
        let default_port = match url.scheme() {
            scheme if scheme == plain.0 => plain.1,
            scheme if scheme == tls.0 => tls.1,
            _ => return Err(format!("must begin with {}:// or {}://", plain.0, tls.0)),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        Ok(Self {
            host: host.ok_or("must contain a host")?.to_owned(),
            port: url.port().unwrap_or(default_port),
            is_tls: url.scheme() == tls.0,
            user: Some(url.username()).filter(|it| !it.is_empty()).map(decode).transpose()?,
            password: url.password().map(decode).transpose()?.map(Credential::new),
        })
    }

    /// The host as certificates name it.
    pub fn name(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }
}

/// Checks a URL without keeping what it says.
pub(super) fn check_url(url: &Url, schemes: &Schemes, problems: &mut Vec<Problem>) {
    if let Err(message) = Broker::parse(url, schemes) {
        problems.push(Problem::of("url", message));
    }
}

/// A message has one body: the payload, or what one template renders to.
pub(super) fn check_body(
    body: Option<&Template<Json>>,
    text: Option<&Template<Text>>,
    problems: &mut Vec<Problem>,
) {
    if body.is_some() && text.is_some() {
        problems.push(Problem::of("text", "must be absent if there is a `body`"));
    }
}

/// Checks the names of headers or fields, which are sent as they are.
pub(super) fn check_names(
    field: &str,
    templates: &BTreeMap<String, Template>,
    problems: &mut Vec<Problem>,
) {
    if templates.len() > MAX_HEADERS {
        problems.push(Problem::of(field, format!("must have at most {MAX_HEADERS} entries")));
    }
    let is_name = |name: &str| {
        (1..=255).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
    };
    for name in templates.keys().filter(|name| !is_name(name)) {
        problems.push(Problem {
            path: vec![field.to_owned(), name.clone()],
            message: "must be named with 1 to 255 visible ASCII characters without a colon"
                .to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: Schemes = Schemes { plain: ("amqp", 5672), tls: ("amqps", 5671) };

    #[test]
    fn a_url_says_where_the_broker_is_and_who_connects() {
        let parse = |text: &str| Broker::parse(&Url::parse(text).unwrap(), &SCHEMES);
        let broker = parse("amqps://us%40er:p%2fw@[::1]/x").unwrap();
        assert_eq!((broker.name(), broker.port, broker.is_tls), ("::1", 5671, true));
        assert_eq!(broker.user.as_deref(), Some("us@er"));
        assert_eq!(broker.password.as_ref().map(Credential::reveal), Some("p/w"));
        assert!(!format!("{broker:?}").contains("p/w"));
        assert_eq!(parse("amqp://host").unwrap().port, 5672);
        assert_eq!(parse("amqp://host:1").unwrap().port, 1);
        for wrong in ["http://host", "amqp:///x", "amqp:x", "amqp://%ff@host"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_headers_are_visible_ascii() {
        for (name, is_good) in [("x-a", true), ("", false), ("a b", false), ("a:b", false)] {
            let mut problems = Vec::new();
            let template = Template::new("x").unwrap();
            check_names("headers", &BTreeMap::from([(name.to_owned(), template)]), &mut problems);
            assert_eq!(problems.is_empty(), is_good, "{name}");
        }
    }
}
