//! Configuration of `sns` endpoints.

use bytes::Bytes;
use serde::Deserialize;
use url::Url;

use super::{
    Credential, KindConfig, Problem,
    aws::{Account, Attributes, Publication, Publishing, Refusal, Size},
};
use crate::{
    message::Message,
    template::{Event, Template, Text},
};

/// SNS's limit on a message, and on a batch of them.
pub const MAX_BYTES: usize = 256 << 10;

/// SNS's limit on a subject.
const MAX_SUBJECT: usize = 100;

/// Deliveries that may be in flight: several full requests.
const MAX_IN_FLIGHT: usize = 500;

/// An Amazon SNS topic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sns {
    pub topic_arn: String,
    /// By default that of `topicArn`.
    region: Option<String>,
    access_key_id: String,
    secret_access_key: Credential,
    session_token: Option<Credential>,
    endpoint_url: Option<Url>,
    trusted_certificates: Option<String>,
    subject: Option<Template<Text>>,
    message_group_id: Option<Template<Text>>,
    #[serde(default)]
    attributes: Attributes,
}

/// A message as a topic takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub publication: Publication,
    pub subject: Option<String>,
}

impl Sns {
    pub fn account(&self) -> Account<'_> {
        let region = self.region.as_deref().or_else(|| region_of_arn(&self.topic_arn));
        Account {
            region: region.unwrap_or_default(),
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_ref(),
            endpoint_url: self.endpoint_url.as_ref(),
            trusted_certificates: self.trusted_certificates.as_deref(),
        }
    }

    /// The message as the topic takes it, or why the topic can never take it.
    #[expect(clippy::case_sensitive_file_extension_comparisons, reason = "it is not a file")]
    pub fn notification(&self, message: &Message, body: &Bytes) -> Result<Notification, Refusal> {
        let event = Event::new(message, body);
        let publishing = Publishing {
            attributes: &self.attributes,
            group: self.message_group_id.as_ref(),
            is_fifo: self.topic_arn.ends_with(".fifo"),
            size: Size { max: MAX_BYTES, service: "SNS" },
        };
        let publication = publishing.publication(message, &event, body)?;
        let render = |template: &Template<Text>| template.render_field("subject", &event);
        let subject = self.subject.as_ref().map(render).transpose()?;
        Ok(Notification { publication, subject: subject.as_deref().and_then(subject_of) })
    }
}

impl KindConfig for Sns {
    const SECRETS: &'static [&'static str] = &["secretAccessKey", "sessionToken"];

    fn check(&self, problems: &mut Vec<Problem>) {
        if region_of_arn(&self.topic_arn).is_none() {
            let message = "must be the ARN of a topic, such as `arn:aws:sns:eu-central-1:123:name`";
            problems.push(Problem::of("topicArn", message));
        }
        self.account().check(problems);
        self.attributes.check(problems);
    }

    fn address(&self) -> String {
        self.topic_arn.clone()
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(MAX_IN_FLIGHT)
    }
}

/// `arn:aws:sns:REGION:ACCOUNT:NAME`
fn region_of_arn(arn: &str) -> Option<&str> {
    let parts: Vec<_> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, name] => {
            let is_complete = [partition, region, account, name].iter().all(|it| !it.is_empty());
            let is_plain = arn.chars().all(|c| c.is_ascii_graphic());
            (is_complete && is_plain).then_some(*region)
        },
        _ => None,
    }
}

/// A subject as SNS accepts it: one line of ASCII. `None` if nothing is left.
fn subject_of(text: &str) -> Option<String> {
    let plain = |c: char| match c {
        ' '..='~' => c,
        _ if c.is_whitespace() || c.is_control() => ' ',
        _ => '?',
    };
    let subject: String = text.trim().chars().map(plain).take(MAX_SUBJECT).collect();
    Some(subject.trim_end().to_owned()).filter(|subject| !subject.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{fixtures, kind};

    fn sns(topic: &str) -> Result<Sns, Vec<Problem>> {
        let Value::Object(fields) = json!({
            "topicArn": topic, "accessKeyId": "a", "secretAccessKey": "s",
            "subject": "{{ type }}: {{ payload.name }}",
        }) else {
            unreachable!()
        };
        kind::parse(&fields)
    }

    #[test]
    fn the_region_is_that_of_the_topic() {
        let topic = sns("arn:aws:sns:eu-west-3:123:orders").unwrap();
        assert_eq!(topic.account().region, "eu-west-3");
        for arn in ["orders", "arn:aws:sqs:eu-west-3:123:orders", "arn:aws:sns:eu-west-3:123:"] {
            assert_eq!(sns(arn).unwrap_err()[0].path, ["topicArn"], "{arn}");
        }
    }

    #[test]
    fn a_message_has_a_subject_and_a_fifo_topic_its_order() {
        let (message, body) = (fixtures::message(), Bytes::from_static(br#"{"name":"Ada"}"#));
        let topic = sns("arn:aws:sns:eu-west-3:123:orders.fifo").unwrap();
        let notification = topic.notification(&message, &body).unwrap();
        assert_eq!(notification.subject.as_deref(), Some("user.created: Ada"));
        assert_eq!(notification.publication.group, Some(message.application.to_string()));
    }

    #[test]
    fn subjects_become_one_line_of_ascii() {
        for (text, expected) in [
            ("Hello", Some("Hello")),
            (" a\nb ", Some("a b")),
            ("naïve", Some("na?ve")),
            ("\n", None),
        ] {
            assert_eq!(subject_of(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(subject_of(&"x".repeat(200)).unwrap().len(), MAX_SUBJECT);
    }
}
