//! Configuration of `sqs` endpoints, and of queue sources that are SQS queues.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use url::Url;

use super::{
    Credential, KindConfig, Problem,
    aws::{Account, Attributes, Publication, Publishing, Refusal, Size, check_url, region_of_host},
    secret::without_credentials,
    time,
};
use crate::{
    message::Message,
    template::{Event, Template, Text},
};

/// SQS's limit on a message, and on a batch of them.
pub const MAX_BYTES: usize = 1 << 20;

/// Deliveries that may be in flight: several full requests.
const MAX_IN_FLIGHT: usize = 500;

/// The queue's own default.
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3_600);

/// An Amazon SQS queue that messages are sent to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sqs {
    pub queue_url: Url,
    /// By default that of `queueUrl`.
    region: Option<String>,
    access_key_id: String,
    secret_access_key: Credential,
    session_token: Option<Credential>,
    endpoint_url: Option<Url>,
    trusted_certificates: Option<String>,
    message_group_id: Option<Template<Text>>,
    #[serde(default)]
    attributes: Attributes,
}

impl Sqs {
    pub fn account(&self) -> Account<'_> {
        Account {
            region: region(self.region.as_deref(), &self.queue_url),
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_ref(),
            endpoint_url: self.endpoint_url.as_ref(),
            trusted_certificates: self.trusted_certificates.as_deref(),
        }
    }

    /// The message as the queue takes it, or why the queue can never take it.
    #[expect(clippy::case_sensitive_file_extension_comparisons, reason = "it is not a file")]
    pub fn publication(&self, message: &Message, body: &Bytes) -> Result<Publication, Refusal> {
        let publishing = Publishing {
            attributes: &self.attributes,
            group: self.message_group_id.as_ref(),
            is_fifo: self.queue_url.path().ends_with(".fifo"),
            size: Size { max: MAX_BYTES, service: "SQS" },
        };
        publishing.publication(message, &Event::new(message, body), body)
    }
}

impl KindConfig for Sqs {
    const SECRETS: &'static [&'static str] = &["secretAccessKey", "sessionToken"];

    fn check(&self, problems: &mut Vec<Problem>) {
        check_url("queueUrl", &self.queue_url, problems);
        self.account().check(problems);
        self.attributes.check(problems);
    }

    fn address(&self) -> String {
        without_credentials(&self.queue_url)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(MAX_IN_FLIGHT)
    }
}

/// An Amazon SQS queue that messages are read from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqsQueue {
    pub queue_url: Url,
    /// By default that of `queueUrl`.
    region: Option<String>,
    access_key_id: String,
    secret_access_key: Credential,
    session_token: Option<Credential>,
    endpoint_url: Option<Url>,
    trusted_certificates: Option<String>,
    /// How long a message that was received is hidden from others; by default as the queue is
    /// configured.
    #[serde(default, deserialize_with = "time::deserialize_option")]
    pub visibility_timeout: Option<Duration>,
}

impl SqsQueue {
    pub fn account(&self) -> Account<'_> {
        Account {
            region: region(self.region.as_deref(), &self.queue_url),
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_ref(),
            endpoint_url: self.endpoint_url.as_ref(),
            trusted_certificates: self.trusted_certificates.as_deref(),
        }
    }
}

impl KindConfig for SqsQueue {
    const SECRETS: &'static [&'static str] = &["secretAccessKey", "sessionToken"];

    fn check(&self, problems: &mut Vec<Problem>) {
        check_url("queueUrl", &self.queue_url, problems);
        self.account().check(problems);
        let is_valid =
            |timeout: Duration| timeout >= Duration::from_secs(1) && timeout <= MAX_VISIBILITY;
        if !self.visibility_timeout.is_none_or(is_valid) {
            problems.push(Problem::of("visibilityTimeout", "must be 1s to 12h"));
        }
    }

    fn address(&self) -> String {
        without_credentials(&self.queue_url)
    }
}

/// An empty region is reported as a problem.
fn region<'a>(configured: Option<&'a str>, queue: &'a Url) -> &'a str {
    configured.or_else(|| region_of_host(queue, "sqs")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{fixtures, kind};

    fn parse<T: KindConfig>(value: Value) -> Result<T, Vec<Problem>> {
        let Value::Object(fields) = value else { unreachable!() };
        kind::parse(&fields)
    }

    #[test]
    fn the_region_is_that_of_the_queue_unless_it_is_configured() {
        let queue = "https://sqs.eu-central-1.amazonaws.com/123/orders.fifo";
        let sqs: Sqs = parse(json!({
            "queueUrl": queue, "accessKeyId": "AKIA", "secretAccessKey": "s",
        }))
        .unwrap();
        assert_eq!((sqs.account().region, sqs.address().as_str()), ("eu-central-1", queue));
        assert_eq!(
            sqs.account().url("sqs").unwrap().host_str(),
            Url::parse(queue).unwrap().host_str()
        );
        assert!(!format!("{sqs:?}").contains("\"s\""));
        let elsewhere = json!({
            "queueUrl": "http://localhost/q", "accessKeyId": "AKIA", "secretAccessKey": "s",
        });
        let problems = parse::<Sqs>(elsewhere).unwrap_err();
        assert_eq!(problems[0].path, ["region"]);
    }

    #[test]
    fn messages_of_a_fifo_queue_are_ordered_by_application_by_default() {
        let sqs = |queue: &str| {
            let queue = format!("https://sqs.eu-central-1.amazonaws.com/123/{queue}");
            parse::<Sqs>(json!({ "queueUrl": queue, "accessKeyId": "a", "secretAccessKey": "s" }))
        };
        let (message, body) = (fixtures::message(), Bytes::from_static(b"{}"));
        let fifo = sqs("a.fifo").unwrap().publication(&message, &body).unwrap();
        assert_eq!(fifo.group, Some(message.application.to_string()));
        assert_eq!(fifo.deduplication_id, Some(message.id.to_string()));
        let other = sqs("a").unwrap().publication(&message, &body).unwrap();
        assert_eq!((other.group, other.deduplication_id), (None, None));
    }

    #[test]
    fn the_visibility_timeout_of_a_source_is_limited() {
        for (timeout, is_valid) in [("30s", true), ("12h", true), ("0s", false), ("13h", false)] {
            let config = parse::<SqsQueue>(json!({
                "queueUrl": "http://localhost/q", "region": "x", "accessKeyId": "a",
                "secretAccessKey": "s", "visibilityTimeout": timeout,
            }));
            assert_eq!(config.is_ok(), is_valid, "{timeout}");
        }
    }
}
