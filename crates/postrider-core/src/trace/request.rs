//! What the span of a request to this server says.

use http::{Method, Version};

use super::span::Attribute;

/// A request to this server.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedRequest<'a> {
    pub method: &'a Method,
    /// The path as it is declared, with the names of its parameters.
    pub route: &'a str,
    /// The path without secrets.
    pub path: &'a str,
    pub is_https: bool,
    pub version: Version,
    /// The `Host` header.
    pub host: Option<&'a str>,
    /// The `User-Agent` header.
    pub agent: Option<&'a str>,
}

impl ReceivedRequest<'_> {
    /// The name of the span.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.route)
    }

    /// Its attributes, as the conventions for HTTP name them.
    pub fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let mut attributes: Vec<(&'static str, Attribute)> = vec![
            ("http.request.method", self.method.to_string().into()),
            ("http.route", self.route.to_owned().into()),
            ("url.path", self.path.to_owned().into()),
            ("url.scheme", if self.is_https { "https" } else { "http" }.into()),
        ];
        let mut add = |name, value: Attribute| attributes.push((name, value));
        if let Some(version) = version(self.version) {
            add("network.protocol.version", version.into());
        }
        if let Some((name, port)) = self.host.map(split) {
            add("server.address", name.to_owned().into());
            if let Some(port) = port {
                add("server.port", port.into());
            }
        }
        if let Some(agent) = self.agent {
            add("user_agent.original", agent.to_owned().into());
        }
        attributes
    }
}

/// Name and port of a `Host` header.
fn split(host: &str) -> (&str, Option<u16>) {
    let brackets: [char; 2] = ['[', ']'];
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            (name.trim_matches(brackets), port.parse().ok())
        },
        _ => (host.trim_matches(brackets), None),
    }
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_follows_the_conventions_for_http() {
        let request = ReceivedRequest {
            method: &Method::POST,
            route: "/api/v1/app/{app_id}/msg",
            path: "/api/v1/app/acme/msg",
            is_https: true,
            version: Version::HTTP_11,
            host: Some("hooks.example.com:8071"),
            agent: None,
        };
        assert_eq!(request.name(), "POST /api/v1/app/{app_id}/msg");
        assert_eq!(
            request.attributes(),
            [
                ("http.request.method", "POST".into()),
                ("http.route", "/api/v1/app/{app_id}/msg".into()),
                ("url.path", "/api/v1/app/acme/msg".into()),
                ("url.scheme", "https".into()),
                ("network.protocol.version", "1.1".into()),
                ("server.address", "hooks.example.com".into()),
                ("server.port", 8_071_u16.into()),
            ]
        );
    }

    #[test]
    fn hosts_may_have_ports() {
        for (host, expected) in [
            ("a.example", ("a.example", None)),
            ("a.example:80", ("a.example", Some(80))),
            ("[::1]:80", ("::1", Some(80))),
            ("[::1]", ("::1", None)),
            ("a:b", ("a", None)),
        ] {
            assert_eq!(split(host), expected);
        }
    }
}
