//! `postrider consumer`.

use clap::{Subcommand, ValueEnum};
use http::Method;

use super::{
    ApiRequest, PageArgs,
    fields::Fields,
    paths::{ConsumerPath, DeadLetterPath},
};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum ConsumerCommand {
    /// Lists consumers
    List(#[command(flatten)] PageArgs),
    /// Shows a consumer
    Get(ConsumerPath),
    /// Creates a consumer, which reads its queue at once
    #[command(after_help = CREATE_EXAMPLES)]
    Create(#[command(flatten)] Fields),
    /// Changes the given fields
    #[command(after_help = "Example:\n  postrider consumer update orders disabled:=true")]
    Update {
        #[command(flatten)]
        consumer: ConsumerPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Deletes a consumer and its dead letters
    Delete(ConsumerPath),
    /// Shows what a consumer is doing on the server that responds
    State(ConsumerPath),
    /// Lists the messages that could not be accepted, with the reason
    DeadLetters {
        #[command(flatten)]
        consumer: ConsumerPath,
        /// Only those with this cause
        #[arg(long)]
        cause: Option<Cause>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows a dead letter with its headers and body
    DeadLetter(DeadLetterPath),
    /// Publishes a dead letter, and takes it off the list
    Retry(DeadLetterPath),
    /// Deletes a dead letter
    Discard(DeadLetterPath),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  postrider consumer create uid=orders kind=nats config:=@nats.json
  postrider consumer create uid=orders kind=redis config:=@redis.json mapping:=@mapping.json

docs/consumers.md describes each kind and its config.";

/// Why a message became a dead letter.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Cause {
    Unreadable,
    UnknownApplication,
    Invalid,
    TooLarge,
    Refused,
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::UnknownApplication => "unknownApplication",
            Self::Invalid => "invalid",
            Self::TooLarge => "tooLarge",
            Self::Refused => "refused",
        }
    }
}

const COLUMNS: &[&str] = &["id", "uid", "kind", "address", "disabled", "createdAt"];

const DEAD_LETTER_COLUMNS: &[&str] =
    &["id", "createdAt", "cause", "reason", "attempts", "messageId", "subject"];

impl ConsumerCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let (call, columns) = match self {
            Self::List(page) => (page.apply(Call::new(Method::GET, &["consumer"])), COLUMNS),
            Self::Get(consumer) => (consumer.call(Method::GET, &[]), COLUMNS),
            Self::Create(fields) => {
                (Call::new(Method::POST, &["consumer"]).body(fields.object()?), COLUMNS)
            },
            Self::Update { consumer, fields } => {
                (consumer.call(Method::PATCH, &[]).body(fields.object()?), COLUMNS)
            },
            Self::Delete(consumer) => (consumer.call(Method::DELETE, &[]), COLUMNS),
            Self::State(consumer) => (consumer.call(Method::GET, &["state"]), COLUMNS),
            Self::DeadLetters { consumer, cause, page } => {
                let call = consumer.call(Method::GET, &["dead-letter"]);
                let call = call.query("cause", cause.map(|it| it.name().to_owned()));
                (page.apply(call), DEAD_LETTER_COLUMNS)
            },
            Self::DeadLetter(letter) => (letter.call(Method::GET, &[]), DEAD_LETTER_COLUMNS),
            Self::Retry(letter) => (letter.call(Method::POST, &["retry"]), DEAD_LETTER_COLUMNS),
            Self::Discard(letter) => (letter.call(Method::DELETE, &[]), DEAD_LETTER_COLUMNS),
        };
        Ok(ApiRequest { call, columns })
    }
}
