//! Where a database server is, and how connections to it are protected.

use std::net::Ipv4Addr;

use serde::Deserialize;
use url::{Host, Url};

use crate::kind::{Credential, Problem, service_url::decode};

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    /// Not at all.
    Disable,
    /// Encrypted; the server may be anyone.
    Require,
    /// Encrypted, and the certificate must be trusted and have the host's name.
    Verify,
}

/// What differs between the database servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheme {
    /// Of URLs.
    pub(super) names: &'static [&'static str],
    pub(super) port: u16,
    /// The parameter of a URL that says how connections are protected.
    pub(super) tls_parameter: &'static str,
}

/// Where a database server is, and as who to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, which has brackets if it is of IPv6.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<Credential>,
    pub database: Option<String>,
    pub tls: TlsMode,
}

impl Server {
    /// Reads a URL. `password` and `tls` win over what is in it.
    pub(super) fn new(
        scheme: Scheme,
        url: &Url,
        password: Option<&Credential>,
        tls: Option<TlsMode>,
    ) -> Result<Self, Problem> {
        let wrong = |message: &str| Problem::of("url", message);
        if !scheme.names.contains(&url.scheme()) {
            return Err(wrong(&format!("must begin with `{}://`", scheme.names[0])));
        }
        let host = url.host().filter(|host| host.to_string() != "");
        let host = host.ok_or_else(|| wrong("must have a host; sockets cannot be used"))?;
        let decoded = |text: &str| decode(text).map_err(|message| wrong(&message));
        let user = decoded(url.username())?;
        if user.is_empty() {
            return Err(wrong("must have a user name, as in `user:password@host`"));
        }
        let database = url.path().trim_start_matches('/');
        let tls = tls.or(tls_parameter(scheme, url)?).unwrap_or_else(|| default_tls(&host));
        let password = match password {
            Some(password) => Some(password.clone()),
            None => url.password().map(decoded).transpose()?.map(Credential::new),
        };
        Ok(Self {
            host: host.to_string(),
            port: url.port().unwrap_or(scheme.port),
            user,
            password,
            database: Some(database).filter(|it| !it.is_empty()).map(decoded).transpose()?,
            tls,
        })
    }
}

/// Connections within this machine need no protection. Other hosts must prove who they are.
fn default_tls(host: &Host<&str>) -> TlsMode {
    let is_loopback = match host {
        // Addresses of IPv4 are recognized in URLs of web pages only.
        Host::Domain("localhost") => true,
        Host::Domain(name) => name.parse::<Ipv4Addr>().is_ok_and(|it| it.is_loopback()),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    if is_loopback { TlsMode::Disable } else { TlsMode::Verify }
}

fn tls_parameter(scheme: Scheme, url: &Url) -> Result<Option<TlsMode>, Problem> {
    let mut mode = None;
    for (name, value) in url.query_pairs() {
        if name != scheme.tls_parameter {
            let known = scheme.tls_parameter;
            let message = format!("must have no parameter but `{known}`; `{name}` is not known");
            return Err(Problem::of("url", message));
        }
        mode = Some(match value.to_ascii_lowercase().replace('_', "-").as_str() {
            "disable" | "disabled" => TlsMode::Disable,
            "require" | "required" => TlsMode::Require,
            "verify-full" | "verify-identity" => TlsMode::Verify,
            _ => {
                let message = format!(
                    "must have a `{name}` that says what is wanted in any case: disable, require \
                     or verify-full"
                );
                return Err(Problem::of("url", message));
            },
        });
    }
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEME: Scheme =
        Scheme { names: &["postgres", "postgresql"], port: 5432, tls_parameter: "sslmode" };

    fn server(url: &str) -> Result<Server, Problem> {
        Server::new(SCHEME, &url.parse().unwrap(), None, None)
    }

    #[test]
    fn a_url_says_where_and_as_who() {
        let found = server("postgresql://u%40x:p%2Fw@db.example.com/my%20db").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("db.example.com", 5432));
        let password = |server: &Server| server.password.as_ref().map(|it| it.reveal().to_owned());
        assert_eq!((found.user.as_str(), password(&found).as_deref()), ("u@x", Some("p/w")));
        assert_eq!(found.database.as_deref(), Some("my db"));
        let url = "postgres://u:a@db:6432".parse().unwrap();
        let found = Server::new(SCHEME, &url, Some(&Credential::new("b".to_owned())), None);
        let found = found.unwrap();
        assert_eq!(password(&found).as_deref(), Some("b"));
        assert_eq!((found.port, found.database), (6432, None));
        assert!(!format!("{:?}", server("postgres://u:secret@db/x")).contains("secret"));
    }

    #[test]
    fn certificates_are_verified_unless_the_host_is_this_machine() {
        let cases = [
            ("postgres://u@db.example.com/x", TlsMode::Verify),
            ("postgres://u@10.0.0.1/x", TlsMode::Verify),
            ("postgres://u@localhost/x", TlsMode::Disable),
            ("postgres://u@127.0.0.1/x", TlsMode::Disable),
            ("postgres://u@[::1]/x", TlsMode::Disable),
            ("postgres://u@localhost/x?sslmode=verify-full", TlsMode::Verify),
            ("postgres://u@db/x?sslmode=require", TlsMode::Require),
            ("postgres://u@db/x?sslmode=disable", TlsMode::Disable),
        ];
        for (url, expected) in cases {
            assert_eq!(server(url).unwrap().tls, expected, "{url}");
        }
        let url = "postgres://u@db/x?sslmode=disable".parse().unwrap();
        let found = Server::new(SCHEME, &url, None, Some(TlsMode::Verify)).unwrap();
        assert_eq!(found.tls, TlsMode::Verify);
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        let cases = [
            "mysql://u@db/x",
            "postgres:///x",
            "postgres://db/x",
            "postgres://u:%ff@db/x",
            "postgres://u@db/x?host=/tmp",
            "postgres://u@db/x?sslmode=prefer",
            "postgres://u@db/x?options=-c%20a=b",
        ];
        for url in cases {
            assert_eq!(server(url).unwrap_err().path, ["url"], "{url}");
        }
    }
}
