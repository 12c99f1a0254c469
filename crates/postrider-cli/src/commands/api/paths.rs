//! Positional arguments that name a record, and the path of its API resource.

use clap::Args;
use http::Method;

use crate::client::Call;

#[derive(Args, Debug)]
pub(crate) struct ApplicationPath {
    /// Application, by id or uid
    app: String,
}

#[derive(Args, Debug)]
pub(crate) struct EndpointPath {
    #[command(flatten)]
    app: ApplicationPath,
    /// Endpoint, by id or uid
    endpoint: String,
}

#[derive(Args, Debug)]
pub(crate) struct MessagePath {
    #[command(flatten)]
    app: ApplicationPath,
    /// Message, by id or event id
    message: String,
}

#[derive(Args, Debug)]
pub(crate) struct AttemptPath {
    #[command(flatten)]
    message: MessagePath,
    /// Attempt, by id
    attempt: String,
}

#[derive(Args, Debug)]
pub(crate) struct EventTypePath {
    /// Event type, such as invoice.paid
    name: String,
}

#[derive(Args, Debug)]
pub(crate) struct SourcePath {
    /// Source, by id or uid
    source: String,
}

#[derive(Args, Debug)]
pub(crate) struct ConnectorPath {
    /// Connector, by id or uid
    connector: String,
}

impl ConnectorPath {
    pub(super) fn call(&self, method: Method) -> Call {
        Call::new(method, &["connector", &self.connector])
    }
}

#[derive(Args, Debug)]
pub(crate) struct ConsumerPath {
    /// Consumer, by id or uid
    consumer: String,
}

#[derive(Args, Debug)]
pub(crate) struct DeadLetterPath {
    #[command(flatten)]
    consumer: ConsumerPath,
    /// Dead letter, by id
    dead_letter: String,
}

#[derive(Args, Debug)]
pub(crate) struct KeyPath {
    /// API key, by id
    key: String,
}

impl KeyPath {
    pub(super) fn call(&self, method: Method) -> Call {
        Call::new(method, &["api-key", &self.key])
    }
}

#[derive(Args, Debug)]
pub(crate) struct TaskPath {
    /// Background task, by id
    task: String,
}

impl TaskPath {
    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        Call::new(method, &[&["background-task", self.task.as_str()], rest].concat())
    }
}

impl ConsumerPath {
    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        Call::new(method, &[&["consumer", self.consumer.as_str()], rest].concat())
    }
}

impl DeadLetterPath {
    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        self.consumer.call(method, &[&["dead-letter", self.dead_letter.as_str()], rest].concat())
    }
}

impl ApplicationPath {
    /// A call to the application, or to what `rest` names below it.
    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        Call::new(method, &[&["app", self.app.as_str()], rest].concat())
    }
}

impl EndpointPath {
    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        self.app.call(method, &[&["endpoint", self.endpoint.as_str()], rest].concat())
    }
}

impl MessagePath {
    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        self.app.call(method, &[&["msg", self.message.as_str()], rest].concat())
    }
}

impl AttemptPath {
    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        self.message.call(method, &[&["attempt", self.attempt.as_str()], rest].concat())
    }
}

impl EventTypePath {
    pub(super) fn call(&self, method: Method) -> Call {
        Call::new(method, &["event-type", &self.name])
    }

    /// A call to what `rest` names below the event type.
    pub(super) fn call_below(&self, method: Method, rest: &str) -> Call {
        Call::new(method, &["event-type", &self.name, rest])
    }
}

impl SourcePath {
    pub(super) fn new(id: &str) -> Self {
        Self { source: id.to_owned() }
    }

    pub(super) fn call(&self, method: Method, rest: &[&str]) -> Call {
        Call::ingest(method, &[&["source", self.source.as_str()], rest].concat())
    }
}
