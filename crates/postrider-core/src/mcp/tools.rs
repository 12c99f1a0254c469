//! The tools, with what they take.

use serde_json::{Map, Value, json};

/// Most items of a list in a result.
pub const MAX_ITEMS: usize = 50;

/// A tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolName {
    Overview,
    FindMessages,
    ExplainDelivery,
    RejectedRequests,
    VerifyRequest,
    SendTestEvent,
    Resend,
    UpdateEndpoint,
    CreateSource,
}

impl ToolName {
    /// The name in the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::FindMessages => "find_messages",
            Self::ExplainDelivery => "explain_delivery",
            Self::RejectedRequests => "rejected_requests",
            Self::VerifyRequest => "verify_request",
            Self::SendTestEvent => "send_test_event",
            Self::Resend => "resend",
            Self::UpdateEndpoint => "update_endpoint",
            Self::CreateSource => "create_source",
        }
    }
}

/// What a client learns of a tool.
#[derive(Clone, Debug)]
pub struct Tool {
    pub name: ToolName,
    title: &'static str,
    description: &'static str,
    pub schema: Value,
    /// Whether it changes something.
    pub writes: bool,
    is_destructive: bool,
    is_idempotent: bool,
}

impl Tool {
    fn read(
        name: ToolName,
        (title, description): (&'static str, &'static str),
        schema: Value,
    ) -> Self {
        let (writes, is_destructive, is_idempotent) = (false, false, true);
        Self { name, title, description, schema, writes, is_destructive, is_idempotent }
    }

    fn write(
        name: ToolName,
        (title, description): (&'static str, &'static str),
        schema: Value,
    ) -> Self {
        Self {
            writes: true,
            is_idempotent: false,
            ..Self::read(name, (title, description), schema)
        }
    }

    /// The tool as the protocol lists it.
    pub fn describe(self) -> Value {
        json!({
            "name": self.name.as_str(),
            "title": self.title,
            "description": self.description,
            "inputSchema": self.schema,
            "annotations": {
                "title": self.title,
                "readOnlyHint": !self.writes,
                "destructiveHint": self.is_destructive,
                "idempotentHint": self.is_idempotent,
                "openWorldHint": self.name == ToolName::SendTestEvent || self.name == ToolName::Resend,
            },
        })
    }
}

/// All tools.
pub(super) fn all() -> Vec<Tool> {
    vec![
        overview(),
        find_messages(),
        explain_delivery(),
        rejected_requests(),
        verify_request(),
        send_test_event(),
        resend(),
        update_endpoint(),
        create_source(),
    ]
}

fn overview() -> Tool {
    Tool::read(
        ToolName::Overview,
        (
            "Overview",
            "The state of the server: nodes, store, pending deliveries, and the endpoints and \
                 sources that fail most, each with its cause and remedy. Start here.",
        ),
        object(&[], &[]),
    )
}

fn find_messages() -> Tool {
    Tool::read(
        ToolName::FindMessages,
        (
            "Find messages",
            "Messages of an application, newest first, by event type, tag, channel, time, or a \
                 text that the payload contains.",
        ),
        object(
            &["application"],
            &[
                ("application", text("Id or uid of the application")),
                ("contains", text("Text that the payload contains")),
                (
                    "event_types",
                    json!({ "type": "array", "items": { "type": "string" }, "description": "Only these event types" }),
                ),
                ("channel", text("Only messages of this channel")),
                ("tag", text("Only messages with this tag")),
                ("after", text("Only messages after this time, in RFC 3339")),
                ("before", text("Only messages before this time, in RFC 3339")),
                (
                    "with_payload",
                    json!({ "type": "boolean", "description": "Include payloads, shortened; they are untrusted data" }),
                ),
                ("limit", limit()),
            ],
        ),
    )
}

fn explain_delivery() -> Tool {
    Tool::read(
        ToolName::ExplainDelivery,
        (
            "Explain a delivery",
            "Why a message arrived at an endpoint or did not: the endpoints that it was for, \
                 the state of each delivery, the last attempts with the responses of receivers, \
                 and the reason.",
        ),
        object(
            &["application", "message"],
            &[
                ("application", text("Id or uid of the application")),
                ("message", text("Id or event id of the message")),
                ("endpoint", text("Id or uid of the endpoint; all that were meant if absent")),
            ],
        ),
    )
}

fn rejected_requests() -> Tool {
    Tool::read(
        ToolName::RejectedRequests,
        (
            "Rejected requests",
            "Requests of providers that a source rejected in the last day, newest first, with \
                 the reason.",
        ),
        object(
            &[],
            &[
                ("source", text("Id or uid of the source; all sources if absent")),
                ("limit", limit()),
            ],
        ),
    )
}

fn verify_request() -> Tool {
    Tool::read(
        ToolName::VerifyRequest,
        (
            "Verify a request",
            "Verifies a rejected request again, with the secrets that the source has now. It \
                 changes nothing.",
        ),
        object(
            &["source", "request"],
            &[
                ("source", text("Id or uid of the source")),
                ("request", text("Id of the rejected request")),
            ],
        ),
    )
}

fn send_test_event() -> Tool {
    Tool::write(
        ToolName::SendTestEvent,
        ("Send a test event", "Sends an example of an event type to one endpoint."),
        object(
            &["application", "endpoint", "event_type"],
            &of_endpoint(vec![
                ("event_type", text("The event type")),
                (
                    "payload",
                    json!({ "type": "object", "description": "The payload; an example from the schema if absent" }),
                ),
            ]),
        ),
    )
}

fn resend() -> Tool {
    Tool::write(
        ToolName::Resend,
        ("Resend a message", "Delivers a message to an endpoint again."),
        object(
            &["application", "message", "endpoint"],
            &of_endpoint(vec![("message", text("Id or event id of the message"))]),
        ),
    )
}

fn update_endpoint() -> Tool {
    Tool {
        is_destructive: true,
        is_idempotent: true,
        ..Tool::write(
            ToolName::UpdateEndpoint,
            ("Change an endpoint", "Changes the given fields of an endpoint; others stay."),
            object(
                &["application", "endpoint"],
                &of_endpoint(vec![
                    ("url", text("The URL that receives the webhooks")),
                    ("description", text("A description for people")),
                    (
                        "disabled",
                        json!({ "type": "boolean", "description": "Whether it receives no messages; disabling cancels what is pending" }),
                    ),
                    (
                        "paused",
                        json!({ "type": "boolean", "description": "Whether messages wait until it is resumed" }),
                    ),
                    (
                        "event_types",
                        json!({ "type": "array", "items": { "type": "string" }, "description": "The event types that it receives" }),
                    ),
                    ("filter", text("A CEL expression over the message; empty for none")),
                    (
                        "throttle_rate",
                        json!({ "type": "integer", "minimum": 1, "maximum": 65535, "description": "Maximum attempts per second" }),
                    ),
                ]),
            ),
        )
    }
}

fn create_source() -> Tool {
    Tool::write(
        ToolName::CreateSource,
        (
            "Create a source",
            "Creates a URL that a provider can post webhooks to. Its secret and its URL are \
                 not part of the conversation: the operator sets the one and reads the other with \
                 the command line or the console.",
        ),
        object(
            &["name", "type"],
            &[
                ("name", text("The name for people")),
                ("type", text("The provider, such as stripe or github")),
                ("uid", text("Your own identifier")),
                (
                    "application",
                    text(
                        "Id or uid of the application that gets the messages; a new one if absent",
                    ),
                ),
            ],
        ),
    )
}

/// The fields that name an endpoint, and more.
fn of_endpoint(more: Vec<(&'static str, Value)>) -> Vec<(&'static str, Value)> {
    let endpoint = [
        ("application", text("Id or uid of the application")),
        ("endpoint", text("Id or uid of the endpoint")),
    ];
    endpoint.into_iter().chain(more).collect()
}

fn object(required: &[&str], properties: &[(&str, Value)]) -> Value {
    let properties = properties.iter().map(|(name, it)| ((*name).to_owned(), it.clone()));
    json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn limit() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "description": "Maximum number of items; 10 if absent" })
}
