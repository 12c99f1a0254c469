//! Configuration of `email` endpoints.

mod mailbox;
mod reply;

use std::net::IpAddr;

use serde::Deserialize;
use url::Host;

use super::{Credential, KindConfig, Problem};
use crate::template::{Html, Template};

pub use self::{
    mailbox::{Mailbox, MailboxError},
    reply::{Step, classify},
};

/// Most recipients of one e-mail.
pub const MAX_RECIPIENTS: usize = 50;

/// Most connections to a server.
const MAX_CONNECTIONS: usize = 50;

/// E-mail, handed to a server over SMTP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Email {
    /// The SMTP server.
    pub host: String,
    port: Option<u16>,
    tls: Option<Encryption>,
    pub trusted_certificates: Option<String>,
    pub username: Option<String>,
    pub password: Option<Credential>,
    /// Sender, in the envelope and in the header.
    pub from: Mailbox,
    /// One address each.
    pub to: Vec<Template>,
    pub reply_to: Option<Template>,
    #[serde(default = "default_subject")]
    pub subject: Template,
    text: Option<Template>,
    pub html: Option<Template<Html>>,
    /// Most connections at a time, and thus most e-mails that are being handed over.
    #[serde(default = "default_connections")]
    pub connections: usize,
    #[serde(skip, default = "default_text")]
    default_text: Template,
}

/// How the connection to the server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Encryption {
    /// It begins in plain text and is upgraded. If the server cannot do that, nothing is sent.
    Starttls,
    /// From the first byte.
    Implicit,
    None,
}

impl Email {
    /// The port, by default that of the encryption.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Some(Encryption::Starttls) | None => 587,
            Some(Encryption::Implicit) => 465,
            Some(Encryption::None) => 25,
        })
    }

    /// The encryption, by default that of the port.
    pub fn encryption(&self) -> Encryption {
        let of_port =
            if self.port == Some(465) { Encryption::Implicit } else { Encryption::Starttls };
        self.tls.unwrap_or(of_port)
    }

    /// The text version, which is written for e-mails without templates too.
    pub fn text(&self) -> Option<&Template> {
        self.text.as_ref().or(self.html.is_none().then_some(&self.default_text))
    }

    /// User name and password, if the server requires them.
    pub fn login(&self) -> Option<(&str, &Credential)> {
        self.username.as_deref().zip(self.password.as_ref())
    }

    fn is_local(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|it: IpAddr| it.is_loopback())
    }

    fn check_login(&self, problems: &mut Vec<Problem>) {
        if self.username.is_some() != self.password.is_some() {
            let missing = if self.username.is_some() { "password" } else { "username" };
            problems.push(Problem::of(missing, "is missing: a login needs both"));
        }
        if self.login().is_some() && self.encryption() == Encryption::None && !self.is_local() {
            let message = "must not be `none` with a password, unless the server is on this \
                           machine: the password would be readable on the way";
            problems.push(Problem::of("tls", message));
        }
    }

    fn check_recipients(&self, problems: &mut Vec<Problem>) {
        if self.to.is_empty() || self.to.len() > MAX_RECIPIENTS {
            let message = format!("must contain 1 to {MAX_RECIPIENTS} addresses");
            problems.push(Problem::of("to", message));
        }
        for (index, to) in self.to.iter().enumerate() {
            let path = vec!["to".to_owned(), index.to_string()];
            check_address(to, path, problems);
        }
        if let Some(reply_to) = &self.reply_to {
            check_address(reply_to, vec!["replyTo".to_owned()], problems);
        }
    }
}

/// An address without placeholders must be valid.
fn check_address(address: &Template, path: Vec<String>, problems: &mut Vec<Problem>) {
    let Some(Err(error)) = address.constant().map(str::parse::<Mailbox>) else { return };
    problems.push(Problem { path, message: format!("is not an address: {error}") });
}

impl KindConfig for Email {
    const SECRETS: &'static [&'static str] = &["password"];

    fn check(&self, problems: &mut Vec<Problem>) {
        if Host::parse(&self.host).is_err() {
            problems.push(Problem::of("host", "must be a host name or an address"));
        }
        if self.port == Some(0) {
            problems.push(Problem::of("port", "must not be 0"));
        }
        if self.connections == 0 || self.connections > MAX_CONNECTIONS {
            let message = format!("must be from 1 to {MAX_CONNECTIONS}");
            problems.push(Problem::of("connections", message));
        }
        self.check_login(problems);
        self.check_recipients(problems);
    }

    fn address(&self) -> String {
        let scheme = if self.encryption() == Encryption::Implicit { "smtps" } else { "smtp" };
        format!("{scheme}://{}:{}", self.host, self.port())
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.min(self.connections)
    }
}

fn default_subject() -> Template {
    built_in("{{ type }}")
}

fn default_text() -> Template {
    built_in(concat!(
        "{{ type }}\n\n",
        "{{ payload | pretty }}\n\n",
        "-- \n",
        "Accepted at {{ timestamp }} as {{ id }}\n",
    ))
}

const fn default_connections() -> usize {
    4
}

fn built_in(source: &str) -> Template {
    Template::new(source).expect("the default templates compile")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::{Fields, parse};

    fn config(changes: &Value) -> Result<Email, Vec<Problem>> {
        let mut fields = Fields::new();
        for (name, value) in [
            ("host", json!("mail.example.com")),
            ("from", json!("Shop <shop@example.com>")),
            ("to", json!(["ada@example.com", "{{ payload.email }}"])),
        ] {
            fields.insert(name.to_owned(), value);
        }
        fields.extend(changes.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        parse(&fields)
    }

    #[test]
    fn port_and_encryption_follow_from_each_other() {
        use Encryption::{Implicit, None, Starttls};
        for (changes, port, encryption, address) in [
            (json!({}), 587, Starttls, "smtp://mail.example.com:587"),
            (json!({ "port": 25 }), 25, Starttls, "smtp://mail.example.com:25"),
            (json!({ "port": 465 }), 465, Implicit, "smtps://mail.example.com:465"),
            (json!({ "tls": "implicit" }), 465, Implicit, "smtps://mail.example.com:465"),
            (json!({ "tls": "none" }), 25, None, "smtp://mail.example.com:25"),
            (
                json!({ "port": 465, "tls": "starttls" }),
                465,
                Starttls,
                "smtp://mail.example.com:465",
            ),
        ] {
            let config = config(&changes).unwrap();
            assert_eq!((config.port(), config.encryption()), (port, encryption), "{changes}");
            assert_eq!(config.address(), address);
        }
    }

    #[test]
    fn what_cannot_work_is_a_problem_of_its_field() {
        for (changes, path) in [
            (json!({ "host": "a b" }), "host"),
            (json!({ "host": null }), ""),
            (json!({ "from": "shop" }), "from"),
            (json!({ "to": [] }), "to"),
            (json!({ "to": ["ada@example.com", "no-address"] }), "to.1"),
            (json!({ "to": ["{{ payload."] }), "to.0"),
            (json!({ "replyTo": "no-address" }), "replyTo"),
            (json!({ "username": "u" }), "password"),
            (json!({ "username": "u", "password": "p", "tls": "none" }), "tls"),
            (json!({ "tls": "sometimes" }), "tls"),
            (json!({ "connections": 0 }), "connections"),
            (json!({ "subject": "{% if %}" }), "subject"),
            (json!({ "bcc": "x" }), "bcc"),
        ] {
            let problems = config(&changes).unwrap_err();
            let paths: Vec<_> = problems.iter().map(|it| it.path.join(".")).collect();
            assert_eq!(paths, [path], "{changes}: {problems:?}");
        }
    }

    #[test]
    fn a_server_on_this_machine_may_get_a_password_without_tls() {
        let login =
            |host: &str| json!({ "host": host, "username": "u", "password": "p", "tls": "none" });
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            config(&login(host)).unwrap();
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let config = config(&json!({ "username": "u", "password": "geheim" })).unwrap();
        assert!(!format!("{config:?}").contains("geheim"));
    }
}
