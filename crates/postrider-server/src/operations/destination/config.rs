//! Translates the configuration of a destination to that of its endpoint, and back.

use std::time::Duration;

use postrider::api::{
    EndpointBatch, EndpointKind,
    destination::{DestinationType, MAX_BATCH_SIZE},
    endpoint_batch::MAX_BATCH_WAIT_SECONDS,
};
use postrider_core::{
    catalog::BatchLimits,
    kind::{Destination, Fields},
};
use serde_json::Value;

use crate::api::{problems::Problems, suggest};

/// The batch size of an object if the client does not say it, as in the hosted API.
const DEFAULT_BATCH_SIZE: u16 = 100;

/// The shortest wait of the kind `s3`, which means none.
const SHORTEST_WAIT: &str = "100ms";

/// A field of a destination.
#[derive(Clone, Copy, Debug)]
struct Field {
    hosted: &'static str,
    /// The name in the configuration of the endpoint, and others that it accepts.
    names: &'static [&'static str],
    is_secret: bool,
}

const fn field(hosted: &'static str, names: &'static [&'static str]) -> Field {
    Field { hosted, names, is_secret: false }
}

const fn secret(hosted: &'static str, names: &'static [&'static str]) -> Field {
    Field { hosted, names, is_secret: true }
}

const REGION: Field = field("region", &["region"]);
const ACCESS_KEY_ID: Field = field("accessKeyId", &["accessKeyId"]);
const SECRET_ACCESS_KEY: Field = secret("secretAccessKey", &["secretAccessKey"]);
const ENDPOINT_URL: Field = field("endpointUrl", &["endpointUrl"]);

const S3: &[Field] =
    &[field("bucket", &["bucket"]), REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY, ENDPOINT_URL];

const SQS: &[Field] =
    &[field("queueUrl", &["queueUrl"]), REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY, ENDPOINT_URL];

const SNS: &[Field] =
    &[field("topicArn", &["topicArn"]), REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY, ENDPOINT_URL];

const RABBIT_MQ: &[Field] = &[
    field("uri", &["url", "uri"]),
    field("routingKey", &["routingKey"]),
    field("mandatory", &["mandatory"]),
];

const POSTGRES: &[Field] = &[
    field("url", &["url"]),
    secret("password", &["password"]),
    field("tableName", &["table", "tableName"]),
    field("sslRootCert", &["trustedCertificates", "sslRootCert"]),
];

/// The fields of the types whose configuration is one of a kind.
const fn fields(destination_type: DestinationType) -> &'static [Field] {
    match destination_type {
        DestinationType::FifoEndpoint | DestinationType::PollingEndpoint => &[],
        DestinationType::AmazonS3 => S3,
        DestinationType::Sqs => SQS,
        DestinationType::Sns => SNS,
        DestinationType::RabbitMq => RABBIT_MQ,
        DestinationType::Postgres => POSTGRES,
    }
}

/// The kind of the destination's endpoint.
pub(super) const fn kind(destination_type: DestinationType) -> EndpointKind {
    match destination_type {
        DestinationType::FifoEndpoint => EndpointKind::Http,
        DestinationType::AmazonS3 => EndpointKind::S3,
        DestinationType::Sqs => EndpointKind::Sqs,
        DestinationType::Sns => EndpointKind::Sns,
        DestinationType::RabbitMq => EndpointKind::Rabbitmq,
        DestinationType::Postgres => EndpointKind::Postgres,
        DestinationType::PollingEndpoint => EndpointKind::Polling,
    }
}

/// How a client changes a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Fields that are absent are removed, except for credentials.
    Replace,
    /// Fields that are absent stay.
    Change,
}

/// How many messages are written together, and how long they wait for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Batching {
    pub size: Option<u16>,
    pub wait_seconds: Option<u16>,
}

/// The configuration of the endpoint. `old` is the present one with masked credentials. Fields that
/// the hosted API does not have stay.
pub(super) fn to_endpoint(
    destination_type: DestinationType,
    mode: Mode,
    old: &Fields,
    given: &Fields,
    problems: &mut Problems<'_>,
) -> Fields {
    let known = fields(destination_type);
    check_known(known, given, problems);
    let mut fields = old.clone();
    for field in known {
        let value = given.get(field.hosted);
        let is_kept = match (mode, value) {
            (_, Some(Value::Null)) => mode == Mode::Replace && field.is_secret,
            (_, Some(_)) => false,
            (Mode::Change, None) => true,
            (Mode::Replace, None) => field.is_secret,
        };
        if is_kept {
            continue;
        }
        for name in field.names {
            fields.remove(*name);
        }
        if let Some(value) = value.filter(|it| !it.is_null()) {
            fields.insert(field.names[0].to_owned(), value.clone());
        }
    }
    fields
}

fn check_known(known: &[Field], given: &Fields, problems: &mut Problems<'_>) {
    for name in given.keys().filter(|name| !known.iter().any(|it| it.hosted == *name)) {
        problems.explain(&["config", name], || {
            let known = known.iter().map(|it| it.hosted);
            suggest::with_suggestions("is not supported", name, known, "")
        });
    }
}

/// Adds the size of batches to the configuration of an endpoint of the kind `s3`. Other kinds
/// decide for themselves how many messages they send at once.
pub(super) fn add_batching(
    destination_type: DestinationType,
    mode: Mode,
    batching: Batching,
    fields: &mut Fields,
    problems: &mut Problems<'_>,
) {
    let Batching { size, wait_seconds } = batching;
    if destination_type == DestinationType::PollingEndpoint {
        // As in the hosted API, which ignores them: each request says how many messages it wants.
        return;
    }
    if destination_type == DestinationType::FifoEndpoint {
        let is_valid = size.is_none_or(|it| (1..=MAX_BATCH_SIZE).contains(&it));
        problems.require(is_valid, "batchSize", "must be from 1 to 1000");
        let is_valid = wait_seconds.is_none_or(|it| it <= MAX_BATCH_WAIT_SECONDS);
        problems.require(is_valid, "maxWaitSecs", "must be at most 300");
        return;
    }
    if destination_type != DestinationType::AmazonS3 {
        const SIZE: &str = "must be 1 or absent: destinations of this type get each message \
                            without waiting for others";
        const WAIT: &str = "must be 0 or absent: destinations of this type get each message \
                            without waiting for others";
        problems.require(size.is_none_or(|it| it == 1), "batchSize", SIZE);
        problems.require(wait_seconds.is_none_or(|it| it == 0), "maxWaitSecs", WAIT);
        return;
    }
    let is_valid = size.is_none_or(|it| (1..=MAX_BATCH_SIZE).contains(&it));
    problems.require(is_valid, "batchSize", "must be from 1 to 1000");
    let default = |value| (mode == Mode::Replace).then_some(value);
    if let Some(size) = size.or(default(DEFAULT_BATCH_SIZE)) {
        fields.insert("maxMessages".to_owned(), size.into());
    }
    if let Some(seconds) = wait_seconds.or(default(0)) {
        let wait = if seconds == 0 { SHORTEST_WAIT.to_owned() } else { format!("{seconds}s") };
        fields.insert("maxWait".to_owned(), wait.into());
    }
}

/// The batch of an endpoint that is called in order. `old` has what is not given.
pub(super) fn batch(batching: Batching, old: Option<BatchLimits>) -> EndpointBatch {
    let Batching { size, wait_seconds } = batching;
    let (old_size, old_wait) =
        old.map_or((DEFAULT_BATCH_SIZE, 0), |it| (it.size, it.max_wait_seconds));
    EndpointBatch {
        size: size.unwrap_or(old_size),
        max_wait_seconds: wait_seconds.unwrap_or(old_wait),
    }
}

/// The configuration as the hosted API shows it, from that of the endpoint with masked credentials,
/// and its batches.
pub(super) fn to_hosted(destination_type: DestinationType, masked: &Fields) -> (Fields, Batching) {
    let mut hosted = Fields::new();
    for field in fields(destination_type).iter().filter(|it| !it.is_secret) {
        if let Some(value) = field.names.iter().find_map(|name| masked.get(*name)) {
            hosted.insert(field.hosted.to_owned(), value.clone());
        }
    }
    let batching = add_derived(destination_type, masked, &mut hosted);
    (hosted, batching)
}

/// Adds what clients of the hosted API require, and the kind can do without.
fn add_derived(
    destination_type: DestinationType,
    masked: &Fields,
    hosted: &mut Fields,
) -> Batching {
    let single = Batching { size: Some(1), wait_seconds: Some(0) };
    let Ok(parsed) = Destination::parse(kind(destination_type), masked) else { return single };
    let mut add = |name: &str, value: Value| {
        hosted.entry(name).or_insert(value);
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others need nothing")]
    match parsed {
        Destination::S3(config) => {
            let limits = config.limits();
            return Batching {
                size: u16::try_from(limits.messages).ok(),
                wait_seconds: Some(whole_seconds(limits.wait)),
            };
        },
        Destination::Sqs(config) => add("region", config.account().region.into()),
        Destination::Sns(config) => add("region", config.account().region.into()),
        Destination::Rabbitmq(config) => add("mandatory", config.mandatory.into()),
        Destination::Postgres(config) => add("tableName", config.table.to_string().into()),
        _ => {},
    }
    single
}

fn whole_seconds(wait: Duration) -> u16 {
    u16::try_from(wait.as_secs()).unwrap_or(u16::MAX)
}

/// The name that the client knows a field by.
pub(super) fn hosted_name(destination_type: DestinationType, name: &str) -> Option<&'static str> {
    let found = fields(destination_type).iter().find(|field| field.names.contains(&name));
    found.map(|field| field.hosted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Fields {
        let Value::Object(fields) = value else { unreachable!() };
        fields
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "the operation owns it")]
    fn check(
        (destination_type, mode): (DestinationType, Mode),
        old: Value,
        given: Value,
        expected: Value,
    ) {
        let mut problems = Problems::within(&[]);
        let actual =
            to_endpoint(destination_type, mode, &object(old), &object(given), &mut problems);
        assert_eq!(Value::Object(actual), expected);
        problems.finish().unwrap();
    }

    #[test]
    fn fields_get_the_names_of_the_kind_and_others_stay() {
        let postgres = DestinationType::Postgres;
        check(
            (postgres, Mode::Replace),
            json!({}),
            json!({ "url": "postgres://u@h/d", "password": "p", "tableName": "t" }),
            json!({ "url": "postgres://u@h/d", "password": "p", "table": "t" }),
        );
        let old = json!({
            "url": "postgres://u@h/d", "password": "***", "tableName": "t", "mode": "upsert",
            "sslRootCert": "c",
        });
        check(
            (postgres, Mode::Replace),
            old.clone(),
            json!({ "url": "postgres://u@h/e", "tableName": "s", "password": null }),
            json!({ "url": "postgres://u@h/e", "password": "***", "table": "s", "mode": "upsert" }),
        );
        check(
            (postgres, Mode::Change),
            old,
            json!({ "password": "new", "sslRootCert": null }),
            json!({ "url": "postgres://u@h/d", "password": "new", "tableName": "t", "mode": "upsert" }),
        );
        check(
            (DestinationType::RabbitMq, Mode::Replace),
            json!({}),
            json!({ "uri": "amqp://h", "routingKey": "k", "mandatory": false }),
            json!({ "url": "amqp://h", "routingKey": "k", "mandatory": false }),
        );
    }

    #[test]
    fn what_clients_of_the_hosted_api_require_is_always_shown() {
        let url = "postgres://u:***@h/d";
        for (masked, table) in [
            (json!({ "url": url }), "events"),
            (json!({ "url": url, "table": "a.b" }), "a.b"),
            (json!({ "url": url, "tableName": "t" }), "t"),
        ] {
            let (hosted, _) = to_hosted(DestinationType::Postgres, &object(masked));
            assert_eq!(Value::Object(hosted), json!({ "url": url, "tableName": table }));
        }
    }

    #[test]
    fn fields_that_have_no_effect_are_refused() {
        let mut problems = Problems::within(&[]);
        let given = object(json!({ "bucket": "b", "roleArn": "r" }));
        let s3 = DestinationType::AmazonS3;
        to_endpoint(s3, Mode::Replace, &Fields::new(), &given, &mut problems);
        assert!(problems.finish().is_err());
    }

    #[test]
    fn what_is_not_given_of_a_batch_stays() {
        let of = |size, wait_seconds| Batching { size, wait_seconds };
        let batch = |size, max_wait_seconds| EndpointBatch { size, max_wait_seconds };
        let old = Some(BatchLimits { size: 7, max_wait_seconds: 9 });
        assert_eq!(super::batch(of(None, None), None), batch(100, 0));
        assert_eq!(super::batch(of(Some(3), None), old), batch(3, 9));
        assert_eq!(super::batch(of(None, Some(0)), old), batch(7, 0));
    }

    #[test]
    fn only_objects_and_requests_in_order_are_batches() {
        let cases = [
            (
                DestinationType::AmazonS3,
                Mode::Replace,
                None,
                None,
                json!({ "maxMessages": 100, "maxWait": "100ms" }),
            ),
            (
                DestinationType::AmazonS3,
                Mode::Replace,
                Some(5),
                Some(9),
                json!({ "maxMessages": 5, "maxWait": "9s" }),
            ),
            (DestinationType::AmazonS3, Mode::Change, None, None, json!({})),
            (DestinationType::Sqs, Mode::Replace, Some(1), Some(0), json!({})),
        ];
        for (destination_type, mode, size, wait_seconds, expected) in cases {
            let (mut fields, mut problems) = (Fields::new(), Problems::within(&[]));
            let batching = Batching { size, wait_seconds };
            add_batching(destination_type, mode, batching, &mut fields, &mut problems);
            assert_eq!(Value::Object(fields), expected);
            problems.finish().unwrap();
        }
        for (destination_type, size, wait_seconds) in [
            (DestinationType::Sqs, Some(100), None),
            (DestinationType::FifoEndpoint, None, Some(301)),
            (DestinationType::FifoEndpoint, Some(0), None),
            (DestinationType::AmazonS3, Some(1_001), None),
            (DestinationType::AmazonS3, Some(0), None),
        ] {
            let (mut fields, mut problems) = (Fields::new(), Problems::within(&[]));
            let batching = Batching { size, wait_seconds };
            add_batching(destination_type, Mode::Replace, batching, &mut fields, &mut problems);
            assert!(problems.finish().is_err(), "{destination_type:?} {batching:?}");
        }
    }
}
