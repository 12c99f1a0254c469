//! The database's URL: what may be shown of it, and the TLS settings in it.

use tokio_postgres::{Config, config::Host};

use super::tls::TlsSettings;

/// Hosts and database of a URL, without the user, the password and the parameters: the part that
/// may be shown. None if the URL is not valid.
pub fn database_location(url: &str) -> Option<String> {
    let (url, _) = split_tls(url);
    let config: Config = url.parse().ok()?;
    let ports = config.get_ports();
    let hosts: Vec<_> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(folder) => folder.display().to_string(),
            }
        })
        .collect();
    let database = config.get_dbname().map(|it| format!("/{it}")).unwrap_or_default();
    Some(format!("postgres://{}{database}", hosts.join(",")))
}

/// Splits the TLS parameters from a URL: those that the driver does not know, or interprets
/// differently from libpq.
pub(super) fn split_tls(url: &str) -> (String, TlsSettings) {
    let mut settings = TlsSettings::default();
    // The driver looks for parameters behind the first `@`.
    let start = url.find('@').unwrap_or_default();
    let question = url.char_indices().find(|(at, char)| *at >= start && *char == '?');
    let Some((place, params)) = question.and_then(|(at, _)| url.split_at_checked(at)) else {
        return (url.to_owned(), settings);
    };
    let params = params.trim_start_matches('?');
    let mut rest = Vec::new();
    for param in params.split('&') {
        let (key, value) = param.split_once('=').unwrap_or((param, ""));
        let field = match key {
            "sslmode" => &mut settings.mode,
            "sslrootcert" => &mut settings.roots,
            "sslcert" => &mut settings.certificate,
            "sslkey" => &mut settings.key,
            _ => {
                rest.push(param);
                continue;
            },
        };
        *field = Some(decode(value));
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    (format!("{place}{mark}{}", rest.join("&")), settings)
}

/// Decodes percent-encoding; invalid sequences stay as they are.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let code = code.filter(|_| first == b'%').and_then(|it| u8::from_str_radix(it, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_parameters_are_split_from_the_url() {
        let (url, settings) = split_tls(
            "postgres://me:a?b@one,two:1/db?sslmode=verify-ca&application_name=x&\
             sslrootcert=%2Fetc%2Fmy%20root.crt",
        );
        assert_eq!(url, "postgres://me:a?b@one,two:1/db?application_name=x");
        assert_eq!(settings.mode.as_deref(), Some("verify-ca"));
        assert_eq!(settings.roots.as_deref(), Some("/etc/my root.crt"));
        assert_eq!(split_tls("postgres://db?sslmode=prefer").0, "postgres://db");
    }

    #[test]
    fn a_shown_url_has_no_credentials() {
        for (url, expected) in [
            ("postgres://me:sesame@db/hooks?sslmode=verify-full", Some("postgres://db:5432/hooks")),
            ("postgres://db:1,db:2", Some("postgres://db:1,db:2")),
            ("postgres://[::1]:7/a", Some("postgres://[::1]:7/a")),
            ("postgres://me@%2Frun%2Fpg/a", Some("postgres:///run/pg/a")),
            ("postgres://db?password=sesame", Some("postgres://db:5432")),
            ("postgres://db?sesame", None),
        ] {
            assert_eq!(database_location(url).as_deref(), expected, "{url}");
        }
    }
}
