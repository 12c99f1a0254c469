//! Configuration of the kinds of endpoints: what is valid, what is secret, where it leads.
//!
//! Each kind has a type that its configuration is deserialized into, in a file of its own. A
//! configuration is stored as the client specified it ([`Fields`], encrypted), so that a later
//! version can read it differently.

pub mod aws;
mod broker;
pub mod chat;
pub mod command;
mod credential;
pub mod email;
pub mod kafka;
pub mod live;
pub mod mqtt;
pub mod nats;
pub mod polling;
pub mod rabbitmq;
pub mod redis;
pub mod s3;
mod secret;
mod service_url;
pub mod sns;
pub mod sql;
pub mod sqs;
mod time;

use std::time::Duration;

use postrider::api::EndpointKind;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{concurrency::MAX_REST, request::Prepared};

pub use crate::fields::Fields;

pub use self::{
    broker::{Broker, MAX_HEADERS},
    credential::Credential,
    secret::{MASK, kept, mask, mask_fields, unmask, unmask_fields},
    service_url::ServiceUrl,
};

/// Most bytes of a configuration.
pub const MAX_CONFIG: usize = 32 << 10;

/// Why a configuration is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Names of fields and positions in lists that lead to the value.
    pub path: Vec<String>,
    /// What is wrong with it, as a predicate: "must be …".
    pub message: String,
}

impl Problem {
    /// A problem of a field at the top.
    pub fn of(field: &str, message: impl Into<String>) -> Self {
        Self { path: vec![field.to_owned()], message: message.into() }
    }
}

/// The configuration of one kind. Deserializing it checks the types; unknown fields are errors.
pub trait KindConfig: DeserializeOwned {
    /// Fields at the top whose whole value is a credential. Passwords within URLs are found
    /// without this.
    const SECRETS: &'static [&'static str] = &[];

    /// Adds what the types alone cannot express.
    fn check(&self, problems: &mut Vec<Problem>);

    /// Where it leads, as a URL for people, without credentials. It is shown in lists and stored
    /// with each attempt.
    fn address(&self) -> String;

    /// Most deliveries that may be in flight, if an endpoint that is called over HTTP may have
    /// `limit`. Kinds that write many messages at once need more.
    fn max_in_flight(&self, limit: usize) -> usize {
        limit
    }

    /// Longest time for which a `Retry-After` pauses the whole endpoint.
    fn max_rest(&self) -> Duration {
        MAX_REST
    }
}

/// Declares the kinds that have a configuration.
macro_rules! kinds {
    ($($kind:ident($config:ty)),* $(,)?) => {
        /// What an endpoint does with a message, ready to be done. There is one for each endpoint
        /// in memory, so it takes no more than its kind needs.
        #[derive(Debug)]
        pub enum Destination {
            Http(Box<Prepared>),
            $($kind(Box<$config>)),*
        }

        impl Destination {
            /// Reads the configuration of a kind other than [`EndpointKind::Http`].
            pub fn parse(kind: EndpointKind, fields: &Fields) -> Result<Self, Vec<Problem>> {
                match kind {
                    EndpointKind::Http => Err(vec![Problem {
                        path: Vec::new(),
                        message: "must be absent for an endpoint of kind `http`".to_owned(),
                    }]),
                    $(EndpointKind::$kind => parse(fields).map(Box::new).map(Self::$kind)),*
                }
            }

            pub const fn kind(&self) -> EndpointKind {
                match self {
                    Self::Http(_) => EndpointKind::Http,
                    $(Self::$kind(_) => EndpointKind::$kind),*
                }
            }

            /// Where it leads, as a URL for people, without credentials.
            pub fn address(&self) -> String {
                match self {
                    Self::Http(prepared) => prepared.url.to_string(),
                    $(Self::$kind(config) => config.address()),*
                }
            }

            /// Most deliveries that may be in flight, if an endpoint that is called over HTTP may
            /// have `limit`.
            pub fn max_in_flight(&self, limit: usize) -> usize {
                match self {
                    Self::Http(_) => limit,
                    $(Self::$kind(config) => config.max_in_flight(limit)),*
                }
            }

            /// Longest time for which a `Retry-After` pauses the whole endpoint.
            pub fn max_rest(&self) -> Duration {
                match self {
                    Self::Http(_) => MAX_REST,
                    $(Self::$kind(config) => config.max_rest()),*
                }
            }
        }

        /// Fields at the top of the configuration whose whole value is a credential.
        const fn secret_fields(kind: EndpointKind) -> &'static [&'static str] {
            match kind {
                EndpointKind::Http => &[],
                $(EndpointKind::$kind => <$config>::SECRETS),*
            }
        }
    };
}

kinds! {
    Postgres(sql::Postgres),
    Mysql(sql::Mysql),
    Sqlite(sql::Sqlite),
    Email(email::Email),
    Live(live::Live),
    Slack(chat::Slack),
    Discord(chat::Discord),
    Teams(chat::Teams),
    Telegram(chat::Telegram),
    Command(command::Command),
    Nats(nats::Nats),
    Rabbitmq(rabbitmq::Rabbitmq),
    Redis(redis::Redis),
    Mqtt(mqtt::Mqtt),
    Kafka(kafka::Kafka),
    Sqs(sqs::Sqs),
    Sns(sns::Sns),
    S3(s3::S3),
    Polling(polling::Polling),
}

pub(crate) fn parse<T: KindConfig>(fields: &Fields) -> Result<T, Vec<Problem>> {
    let config: T =
        serde_path_to_error::deserialize(Value::Object(fields.clone())).map_err(|error| {
            let path = error.path().iter().map(segment).collect();
            vec![Problem { path, message: error.into_inner().to_string() }]
        })?;
    let mut problems = Vec::new();
    config.check(&mut problems);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all others are shown alike")]
fn segment(segment: &serde_path_to_error::Segment) -> String {
    match segment {
        serde_path_to_error::Segment::Seq { index } => index.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_takes_no_more_memory_than_its_kind_needs() {
        assert_eq!(size_of::<Destination>(), 2 * size_of::<usize>());
    }

    #[test]
    fn unknown_fields_are_problems_of_every_kind() {
        let Value::Object(fields) = serde_json::json!({ "noSuchField": 1 }) else { unreachable!() };
        for kind in EndpointKind::ALL {
            assert!(Destination::parse(kind, &fields).is_err(), "{kind}");
        }
    }
}
