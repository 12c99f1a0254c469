//! Configuration of `nats` endpoints.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use url::Url;

use super::{
    Credential, KindConfig, Problem, ServiceUrl,
    broker::{Broker, Schemes, check_body, check_names, check_url},
    secret::without_credentials,
    time,
};
use crate::template::{Json, Template, Text};

/// Most deliveries in flight: each waits for its own confirmation.
const IN_FLIGHT: usize = 2_000;

const SCHEMES: Schemes = Schemes { plain: ("nats", 4222), tls: ("tls", 4222) };

/// Fields at the top that are credentials.
const SECRETS: &[&str] = &["token", "nkey", "credentials"];

/// How long a message may be unacknowledged until it is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// The header that NATS deduplicates by.
pub const MESSAGE_ID_HEADER: &str = "Nats-Msg-Id";

/// A subject of NATS JetStream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nats {
    url: ServiceUrl,
    token: Option<Credential>,
    nkey: Option<Credential>,
    credentials: Option<Credential>,
    trusted_certificates: Option<String>,
    pub subject: Template,
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    pub body: Option<Template<Json>>,
    pub text: Option<Template<Text>>,
}

/// A consumer of a NATS JetStream stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatsQueue {
    url: ServiceUrl,
    token: Option<Credential>,
    nkey: Option<Credential>,
    credentials: Option<Credential>,
    trusted_certificates: Option<String>,
    pub stream: String,
    /// The durable consumer's name, if it is not that of the queue source.
    pub consumer: Option<String>,
    pub filter_subject: Option<String>,
    #[serde(default = "default_ack_wait", deserialize_with = "time::deserialize")]
    pub ack_wait: Duration,
}

fn default_ack_wait() -> Duration {
    ACK_WAIT
}

/// How to authenticate with a NATS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatsAuth<'a> {
    /// The user and the password of the URL, if it has them.
    Url,
    Token(&'a Credential),
    /// The seed of a key.
    Nkey(&'a Credential),
    /// The content of a credentials file.
    Credentials(&'a Credential),
}

/// A NATS server and how to connect to it.
#[derive(Clone, Debug)]
pub struct NatsServer<'a> {
    pub broker: Broker,
    pub auth: NatsAuth<'a>,
    pub trusted: Option<&'a str>,
}

/// The fields that both configurations have.
struct ServerFields<'a> {
    url: &'a Url,
    token: Option<&'a Credential>,
    nkey: Option<&'a Credential>,
    credentials: Option<&'a Credential>,
    trusted: Option<&'a str>,
}

macro_rules! server_fields {
    ($config:expr) => {
        ServerFields {
            url: &$config.url,
            token: $config.token.as_ref(),
            nkey: $config.nkey.as_ref(),
            credentials: $config.credentials.as_ref(),
            trusted: $config.trusted_certificates.as_deref(),
        }
    };
}

impl<'a> ServerFields<'a> {
    fn check(&self, problems: &mut Vec<Problem>) {
        check_url(self.url, &SCHEMES, problems);
        let has_user = !self.url.username().is_empty();
        if has_user && self.url.password().is_none() {
            problems.push(Problem::of("url", "must contain a password; a token goes to `token`"));
        }
        let ways =
            [has_user, self.token.is_some(), self.nkey.is_some(), self.credentials.is_some()];
        if ways.into_iter().filter(|it| *it).count() > 1 {
            let message = "must use one of a user in the URL, `token`, `nkey` and `credentials`";
            problems.push(Problem::of("url", message));
        }
    }

    /// `None` only if the configuration was not checked.
    fn server(self) -> Option<NatsServer<'a>> {
        let auth = match (self.token, self.nkey, self.credentials) {
            (Some(token), _, _) => NatsAuth::Token(token),
            (None, Some(seed), _) => NatsAuth::Nkey(seed),
            (None, None, Some(text)) => NatsAuth::Credentials(text),
            (None, None, None) => NatsAuth::Url,
        };
        let broker = Broker::parse(self.url, &SCHEMES).ok()?;
        Some(NatsServer { broker, auth, trusted: self.trusted })
    }
}

impl Nats {
    /// Where it is published; `None` only if the configuration was not checked.
    pub fn server(&self) -> Option<NatsServer<'_>> {
        server_fields!(self).server()
    }
}

impl NatsQueue {
    /// Where the stream is; `None` only if the configuration was not checked.
    pub fn server(&self) -> Option<NatsServer<'_>> {
        server_fields!(self).server()
    }
}

impl KindConfig for Nats {
    const SECRETS: &'static [&'static str] = SECRETS;

    fn check(&self, problems: &mut Vec<Problem>) {
        server_fields!(self).check(problems);
        if self.subject.constant().is_some_and(|subject| !is_subject(subject)) {
            problems.push(Problem::of("subject", SUBJECT));
        }
        check_names("headers", &self.headers, problems);
        if self.headers.keys().any(|name| name.eq_ignore_ascii_case(MESSAGE_ID_HEADER)) {
            let message = format!("must not set {MESSAGE_ID_HEADER}, which is the message's id");
            problems.push(Problem::of("headers", message));
        }
        check_body(self.body.as_ref(), self.text.as_ref(), problems);
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(IN_FLIGHT)
    }
}

impl KindConfig for NatsQueue {
    const SECRETS: &'static [&'static str] = SECRETS;

    fn check(&self, problems: &mut Vec<Problem>) {
        server_fields!(self).check(problems);
        if !is_name(&self.stream) {
            problems.push(Problem::of("stream", NAME));
        }
        if self.consumer.as_ref().is_some_and(|name| !is_name(name)) {
            problems.push(Problem::of("consumer", NAME));
        }
        time::check_range("ackWait", self.ack_wait, Duration::from_secs(1), problems);
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}

/// What a subject must be.
pub const SUBJECT: &str =
    "must be words separated by dots, without spaces and the wildcards `*` and `>`";

/// Whether a message can be published under a subject.
pub fn is_subject(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && !word.contains(|it: char| it.is_whitespace() || it.is_control())
    };
    text.len() <= 1_000 && text.split('.').all(|word| is_word(word) && word != "*" && word != ">")
}

const NAME: &str = "must be 1 to 255 characters without spaces, dots, slashes, `*` and `>`";

/// Whether a stream or a consumer can have the name.
fn is_name(text: &str) -> bool {
    let is_bad = |it: char| it.is_whitespace() || it.is_control() || ".*>/\\".contains(it);
    (1..=255).contains(&text.len()) && !text.contains(is_bad)
}

#[cfg(test)]
mod tests {
    use postrider::api::EndpointKind;
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::{Destination, Fields, mask, parse};

    fn fields(value: Value) -> Fields {
        let Value::Object(fields) = value else { unreachable!() };
        fields
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_path() {
        let cases = [
            (json!({ "url": "nats://n", "subject": "a" }), None),
            (json!({ "url": "tls://u:p@n:1", "subject": "a.{{ type }}" }), None),
            (json!({ "url": "http://n", "subject": "a" }), Some("url")),
            (json!({ "url": "nats://token@n", "subject": "a" }), Some("url")),
            (json!({ "url": "nats://u:p@n", "token": "t", "subject": "a" }), Some("url")),
            (json!({ "url": "nats://n", "subject": "a.*" }), Some("subject")),
            (json!({ "url": "nats://n", "subject": "a b" }), Some("subject")),
            (json!({ "url": "nats://n", "subject": "a..b" }), Some("subject")),
            (json!({ "url": "nats://n", "subject": "{% if %}" }), Some("subject")),
            (
                json!({ "url": "nats://n", "subject": "a", "headers": { "nats-msg-id": "1" } }),
                Some("headers"),
            ),
            (json!({ "url": "nats://n", "subject": "a", "body": "1", "text": "1" }), Some("text")),
        ];
        for (config, path) in cases {
            let problems = Destination::parse(EndpointKind::Nats, &fields(config.clone())).err();
            let found = problems.map(|problems| problems[0].path[0].clone());
            assert_eq!(found.as_deref(), path, "{config}");
        }
    }

    #[test]
    fn credentials_are_hidden() {
        let config = fields(json!({ "url": "nats://n", "subject": "a", "nkey": "SUA" }));
        assert_eq!(mask(EndpointKind::Nats, &config)["nkey"], "***");
        let parsed = Destination::parse(EndpointKind::Nats, &config).unwrap();
        assert!(!format!("{parsed:?}").contains("SUA"));
        let config = fields(json!({ "url": "nats://user:hidden@n", "subject": "a" }));
        let parsed = Destination::parse(EndpointKind::Nats, &config).unwrap();
        assert!(!format!("{parsed:?}").contains("hidden"));
    }

    #[test]
    fn a_queue_has_a_stream_and_a_time_limit_for_acknowledgements() {
        let parse = |config: Value| parse::<NatsQueue>(&fields(config));
        let queue = parse(json!({ "url": "nats://n", "stream": "S", "ackWait": "5s" })).unwrap();
        assert_eq!(queue.ack_wait, Duration::from_secs(5));
        assert!(parse(json!({ "url": "nats://n", "stream": "a b" })).is_err());
        assert!(parse(json!({ "url": "nats://n", "stream": "S", "ackWait": "5" })).is_err());
        assert!(parse(json!({ "url": "nats://n", "stream": "S", "ackWait": "0s" })).is_err());
    }
}
