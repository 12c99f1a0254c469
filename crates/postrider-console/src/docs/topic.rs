//! The topics of the operations: what they are called, and in which order they are shown.

/// A topic, which is a tag of the `OpenAPI` document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    /// Its part of the URL.
    pub slug: String,
    pub title: String,
    pub description: &'static str,
    /// The heading of the navigation that it is below.
    pub group: &'static str,
    /// Its place among the topics.
    pub rank: usize,
}

/// Group, tag, title and description.
type Row = (&'static str, &'static str, &'static str, &'static str);

const TOPICS: [Row; 26] = [
    (
        "Send",
        "Application",
        "Applications",
        "An application is one of your customers. It has endpoints, and messages are published to it.",
    ),
    (
        "Send",
        "Endpoint",
        "Endpoints",
        "An endpoint is the URL, table, queue or chat that an application's messages are delivered to.",
    ),
    (
        "Send",
        "Event Type",
        "Event types",
        "An event type names a kind of event, and can have a JSON Schema and examples.",
    ),
    (
        "Send",
        "Message",
        "Messages",
        "A message is an accepted event. It is immutable, and is delivered to all endpoints that match it.",
    ),
    (
        "Send",
        "Message Attempt",
        "Attempts",
        "An attempt is one request for a delivery, with the response of the receiver.",
    ),
    (
        "Send",
        "Background Tasks",
        "Recovery and tasks",
        "Resending many deliveries, canceling pending ones, and the tasks that do this in the background.",
    ),
    (
        "Send",
        "Destination",
        "Destinations",
        "Endpoints under the names of the destination API, which keeps the order of messages.",
    ),
    (
        "Send",
        "Polling",
        "Polling",
        "Clients fetch the messages of a polling endpoint, and commit what they have done.",
    ),
    (
        "Send",
        "Connector",
        "Connectors",
        "A connector is a transformation that you offer to your customers, such as one for Slack.",
    ),
    (
        "Send",
        "Integration",
        "Integrations",
        "An integration is another service that manages an application with its own key.",
    ),
    (
        "Send",
        "AutoConfig",
        "AutoConfig",
        "Subscriptions whose endpoints are created by the receiver, with a token of the subscription.",
    ),
    (
        "Receive",
        "Ingest Source",
        "Sources",
        "A source is a URL to which a provider posts webhooks. They are verified and become messages.",
    ),
    (
        "Receive",
        "Ingest Endpoint",
        "Endpoints of sources",
        "The endpoints to which a source's messages are delivered.",
    ),
    (
        "Receive",
        "Ingest Logs",
        "Rejected requests",
        "Requests that a source rejected, or dropped as duplicates. They are kept for one day.",
    ),
    (
        "Receive",
        "Consumer",
        "Consumers",
        "A consumer reads messages from a queue, such as Kafka or RabbitMQ, and publishes them.",
    ),
    (
        "Access",
        "Authentication",
        "Tokens and sign-in",
        "Tokens of applications for the portal, one-time tokens, and the account of a token.",
    ),
    (
        "Access",
        "API Key",
        "API keys",
        "An API key authenticates programs and people, with a role. It is shown once, when it is created.",
    ),
    ("Access", "Audit Log", "Audit log", "Who changed what, when, and from where."),
    (
        "Access",
        "Environment",
        "Settings",
        "The settings of the organization, and the export and import of its configuration.",
    ),
    (
        "Operate",
        "Statistics",
        "Statistics",
        "Counts and latencies of messages, attempts and received requests over time.",
    ),
    (
        "Operate",
        "State",
        "State",
        "What is pending, why an endpoint does not receive, and how the installation is doing.",
    ),
    (
        "Operate",
        "Alerts",
        "Alerts",
        "The alerts that are firing now: what needs the attention of the operator.",
    ),
    (
        "Operate",
        "Operational Webhook Endpoint",
        "Operational webhooks",
        "Endpoints that are told about the server itself, such as that an endpoint was disabled.",
    ),
    ("Operate", "Lookup", "Lookup", "Finds out what an id, a name or a URL belongs to."),
    (
        "Operate",
        "Installation",
        "Installation",
        "What concerns all organizations of the installation.",
    ),
    (
        "Operate",
        "Health",
        "Health",
        "Checks for load balancers and monitoring. They need no token.",
    ),
];

/// The topic of a tag.
pub(super) fn of(tag: &str) -> Topic {
    let slug = tag.to_ascii_lowercase().replace(' ', "-");
    let rank = TOPICS.iter().position(|it| it.1 == tag);
    let (group, _, title, description) = rank.map_or(("Other", "", tag, ""), |it| TOPICS[it]);
    Topic { slug, title: title.to_owned(), description, group, rank: rank.unwrap_or(TOPICS.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_without_an_entry_is_shown_last_under_its_own_name() {
        let topic = of("Message Attempt");
        assert_eq!(
            (topic.slug.as_str(), topic.title.as_str(), topic.group),
            ("message-attempt", "Attempts", "Send")
        );
        let other = of("New Things");
        assert_eq!(
            (other.slug.as_str(), other.title.as_str(), other.group),
            ("new-things", "New Things", "Other")
        );
        assert!(other.rank > of("Health").rank);
    }
}
