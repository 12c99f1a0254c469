//! The kinds of endpoints as forms: what each does, and the fields of its configuration.

mod chat;
mod cloud;
mod database;
mod field;
mod messaging;
mod stream;

use postrider::api::EndpointKind;

pub(super) use self::field::{ConfigField, Input, KindForm};

/// The kinds that can be created, in their groups. `command` can be defined only in the server's
/// configuration file.
pub(super) const GROUPS: [(&str, &[EndpointKind]); 5] = [
    (
        "Chat and e-mail",
        &[
            EndpointKind::Slack,
            EndpointKind::Discord,
            EndpointKind::Teams,
            EndpointKind::Telegram,
            EndpointKind::Email,
        ],
    ),
    ("Databases", &[EndpointKind::Postgres, EndpointKind::Mysql, EndpointKind::Sqlite]),
    (
        "Message brokers",
        &[
            EndpointKind::Kafka,
            EndpointKind::Rabbitmq,
            EndpointKind::Nats,
            EndpointKind::Redis,
            EndpointKind::Mqtt,
        ],
    ),
    ("Amazon Web Services", &[EndpointKind::Sqs, EndpointKind::Sns, EndpointKind::S3]),
    ("Browsers and programs", &[EndpointKind::Polling, EndpointKind::Live]),
];

/// The form of a kind.
pub(super) const fn form(kind: EndpointKind) -> KindForm {
    match kind {
        EndpointKind::Http => KindForm {
            title: "Webhook",
            summary: "Posts each message to a URL, signed, so that the receiver can verify it.",
            fields: &[],
        },
        EndpointKind::Command => KindForm {
            title: "Command",
            summary: "Runs a program on the server for each message.",
            fields: &[],
        },
        EndpointKind::Postgres => database::POSTGRES,
        EndpointKind::Mysql => database::MYSQL,
        EndpointKind::Sqlite => database::SQLITE,
        EndpointKind::Email => chat::EMAIL,
        EndpointKind::Live => stream::LIVE,
        EndpointKind::Slack => chat::SLACK,
        EndpointKind::Discord => chat::DISCORD,
        EndpointKind::Teams => chat::TEAMS,
        EndpointKind::Telegram => chat::TELEGRAM,
        EndpointKind::Nats => messaging::NATS,
        EndpointKind::Rabbitmq => messaging::RABBITMQ,
        EndpointKind::Redis => stream::REDIS,
        EndpointKind::Mqtt => messaging::MQTT,
        EndpointKind::Kafka => messaging::KAFKA,
        EndpointKind::Sqs => cloud::SQS,
        EndpointKind::Sns => cloud::SNS,
        EndpointKind::S3 => cloud::S3,
        EndpointKind::Polling => stream::POLLING,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_that_clients_can_create_is_offered_once() {
        let offered: Vec<_> = GROUPS.iter().flat_map(|it| it.1).copied().collect();
        let distinct: BTreeSet<_> = offered.iter().copied().collect();
        assert_eq!(offered.len(), distinct.len());
        for kind in EndpointKind::ALL {
            let is_special = matches!(kind, EndpointKind::Http | EndpointKind::Command);
            assert_eq!(distinct.contains(&kind), !is_special, "{kind}");
            let has_none = is_special || kind == EndpointKind::Polling;
            assert_eq!(form(kind).fields.is_empty(), has_none, "{kind}");
        }
    }

    #[test]
    fn names_of_fields_are_distinct_and_choices_begin_with_a_default() {
        for kind in EndpointKind::ALL {
            let fields = form(kind).fields;
            let names: BTreeSet<_> = fields.iter().map(|it| it.name).collect();
            assert_eq!(names.len(), fields.len(), "{kind}");
            for field in fields {
                let Input::Choice(options) = field.input else { continue };
                assert_eq!(options.first().map(|it| it.0), Some(""), "{kind} {}", field.name);
            }
        }
    }

    #[test]
    fn all_fields_are_fields_of_the_api() {
        for kind in EndpointKind::ALL {
            for field in form(kind).fields {
                let fields =
                    [(field.name.to_owned(), serde_json::Value::Null)].into_iter().collect();
                let Err(problems) = postrider_core::kind::Destination::parse(kind, &fields) else {
                    continue;
                };
                let unknown = problems.iter().any(|it| it.message.contains("unknown field"));
                assert!(!unknown, "{kind} {}: {problems:?}", field.name);
            }
        }
    }
}
