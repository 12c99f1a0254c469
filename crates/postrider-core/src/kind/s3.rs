//! Configuration of `s3` endpoints.

mod object;

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use url::Url;

pub use self::object::{BatchName, key_of_message, line};
use self::object::{KeyValues, clean};
use super::{
    Credential, KindConfig, Problem,
    aws::{Account, Refusal},
    time,
};
use crate::{
    message::Message,
    template::{Event, Template, Text, Values},
};

/// Most messages of an object.
const MAX_MESSAGES: usize = 10_000;

/// Bounds of `maxBytes`.
const MIN_BYTES: usize = 64 << 10;
const MAX_BYTES: usize = 32 << 20;

/// Bounds of `maxWait`. It has to be well below the lease of a delivery.
const MIN_WAIT: Duration = Duration::from_millis(100);
const MAX_WAIT: Duration = Duration::from_secs(60);

/// How objects are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectFormat {
    /// Many messages, one in each line, with id and type.
    #[default]
    Ndjson,
    /// An object for each message: its payload.
    Json,
}

/// When an object with many messages is written: as soon as one of the limits is reached.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    pub messages: usize,
    pub bytes: usize,
    pub wait: Duration,
}

/// A bucket of an object store.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3 {
    pub bucket: String,
    region: String,
    access_key_id: String,
    secret_access_key: Credential,
    session_token: Option<Credential>,
    endpoint_url: Option<Url>,
    trusted_certificates: Option<String>,
    #[serde(default)]
    pub format: ObjectFormat,
    #[serde(default)]
    pub gzip: bool,
    /// What the keys begin with.
    #[serde(default = "default_key")]
    key: Template<Text>,
    max_messages: Option<usize>,
    max_bytes: Option<usize>,
    #[serde(default, deserialize_with = "time::deserialize_option")]
    max_wait: Option<Duration>,
    /// Whether messages that are in the bucket already are left out.
    #[serde(default = "yes")]
    pub check_existing: bool,
}

impl S3 {
    pub fn account(&self) -> Account<'_> {
        Account {
            region: &self.region,
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_ref(),
            endpoint_url: self.endpoint_url.as_ref(),
            trusted_certificates: self.trusted_certificates.as_deref(),
        }
    }

    pub fn limits(&self) -> BatchLimits {
        BatchLimits {
            messages: self.max_messages.unwrap_or(1_000),
            bytes: self.max_bytes.unwrap_or(8 << 20),
            wait: self.max_wait.unwrap_or(Duration::from_secs(10)),
        }
    }

    /// What the key of the message's object begins with; the same for each attempt. The message
    /// can never be written if it is an error.
    pub fn prefix(&self, message: &Message, body: &Bytes) -> Result<String, Refusal> {
        let event = Event::new(message, body);
        let values = Values::new(&KeyValues::new(&event));
        let rendered = values.and_then(|values| self.key.render_with(&values));
        let rendered = rendered.map_err(|error| Refusal {
            failure: error.failure(),
            reason: format!("`key` cannot be rendered for this message: {error}"),
        })?;
        clean(&rendered).map_err(Refusal::rejected)
    }

    fn check_limits(&self, problems: &mut Vec<Problem>) {
        let mut must = |field: &str, is_valid: bool, message: String| {
            if !is_valid {
                problems.push(Problem::of(field, message));
            }
        };
        let BatchLimits { messages, bytes, wait } = self.limits();
        let is_count = (1..=MAX_MESSAGES).contains(&messages);
        must("maxMessages", is_count, format!("must be 1 to {MAX_MESSAGES}"));
        let is_size = (MIN_BYTES..=MAX_BYTES).contains(&bytes);
        must("maxBytes", is_size, format!("must be {MIN_BYTES} to {MAX_BYTES}"));
        must("maxWait", (MIN_WAIT..=MAX_WAIT).contains(&wait), "must be 100ms to 60s".to_owned());
        let is_set = [
            ("maxMessages", self.max_messages.is_some()),
            ("maxBytes", self.max_bytes.is_some()),
            ("maxWait", self.max_wait.is_some()),
        ];
        for (field, is_set) in is_set {
            let is_used = self.format == ObjectFormat::Ndjson || !is_set;
            must(field, is_used, "must be absent with the format `json`".to_owned());
        }
    }
}

impl KindConfig for S3 {
    const SECRETS: &'static [&'static str] = &["secretAccessKey", "sessionToken"];

    fn check(&self, problems: &mut Vec<Problem>) {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if !(3..=63).contains(&self.bucket.len()) || !self.bucket.chars().all(is_allowed) {
            problems.push(Problem::of("bucket", "must be the name of a bucket"));
        }
        self.account().check(problems);
        self.check_limits(problems);
    }

    fn address(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    /// While one object is written, the next one is collected.
    fn max_in_flight(&self, limit: usize) -> usize {
        match self.format {
            ObjectFormat::Json => limit,
            ObjectFormat::Ndjson => limit.max(2 * self.limits().messages),
        }
    }
}

const fn yes() -> bool {
    true
}

fn default_key() -> Template<Text> {
    Template::new("{{ date }}/{{ hour }}/").expect("the template is valid")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{fixtures, kind};

    fn s3(changes: Value) -> Result<S3, Vec<Problem>> {
        let Value::Object(mut fields) = json!({
            "bucket": "events", "region": "eu-central-1", "accessKeyId": "a",
            "secretAccessKey": "s",
        }) else {
            unreachable!()
        };
        let Value::Object(changes) = changes else { unreachable!() };
        fields.extend(changes);
        kind::parse(&fields)
    }

    #[test]
    fn the_defaults_are_objects_of_many_lines_by_hour() {
        let s3 = s3(json!({})).unwrap();
        assert_eq!(
            (s3.format, s3.gzip, s3.max_in_flight(64)),
            (ObjectFormat::Ndjson, false, 2_000)
        );
        let prefix = s3.prefix(&fixtures::message(), &Bytes::new()).unwrap();
        let time = fixtures::message().created_at().to_rfc3339();
        assert_eq!(prefix, format!("{}/{}/", time.get(..10).unwrap(), time.get(11..13).unwrap()));
    }

    #[test]
    fn limits_and_formats_are_checked() {
        for (changes, field) in [
            (json!({ "bucket": "a/b" }), "bucket"),
            (json!({ "maxMessages": 0 }), "maxMessages"),
            (json!({ "maxBytes": 1 }), "maxBytes"),
            (json!({ "maxWait": "61s" }), "maxWait"),
            (json!({ "maxWait": 10 }), "maxWait"),
            (json!({ "format": "json", "maxWait": "1s" }), "maxWait"),
            (json!({ "key": "{{" }), "key"),
            (json!({ "region": "" }), "region"),
        ] {
            let problems = s3(changes.clone()).unwrap_err();
            assert_eq!(problems[0].path, [field], "{changes}");
        }
    }

    #[test]
    fn a_key_that_no_object_can_have_is_an_error() {
        let s3 = s3(json!({ "key": "{{ payload.folder }}/" })).unwrap();
        let prefix = |folder: &str| {
            let body = json!({ "folder": folder }).to_string();
            s3.prefix(&fixtures::message(), &Bytes::from(body))
        };
        assert_eq!(prefix("/a//b"), Ok("a/b/".to_owned()));
        assert_eq!(prefix("a\n"), Ok("a_/".to_owned()));
        assert!(prefix("..").is_err());
        assert!(prefix(&"x".repeat(1_000)).is_err());
    }
}
