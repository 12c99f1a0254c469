//! Publishes one message of a queue.

use std::sync::Arc;

use postrider::{ConsumerId, MessageId, api::DeadLetterCause};
use postrider_core::{
    catalog::Consumer,
    kind::Problem,
    queue::{
        QueueConfig,
        mapping::{Mapping, QueueInput, read_envelope},
    },
};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;
use crate::{
    api::{error::ApiError, path::id_or_uid},
    operations::{
        call::Call,
        message::{Published, publish},
        secrets,
    },
};

/// A message of a queue that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    New(MessageId),
    /// It was accepted before.
    Duplicate(Option<MessageId>),
}

/// A consumer's configuration, ready to be used.
#[derive(Debug)]
pub(crate) struct Instructions {
    pub(crate) config: Arc<QueueConfig>,
    pub(crate) mapping: Option<Mapping>,
}

impl Instructions {
    /// Decrypts and reads the configuration of a consumer.
    pub(crate) fn of(call: &Call, consumer: &Consumer) -> Result<Self, ApiError> {
        let fields = secrets::open_at_rest(call, &consumer.config).map_err(|_| ApiError::Bad {
            code: "invalid_configuration",
            detail:
                "the stored configuration cannot be decrypted with this `main_secret`; save it \
                     again"
                    .to_owned(),
        })?;
        let config = QueueConfig::parse(consumer.kind, &fields).map_err(|it| outdated(&it))?;
        let mapping = consumer.mapping.as_ref().map(Mapping::new).transpose();
        Ok(Self { config: Arc::new(config), mapping: mapping.map_err(|it| outdated(&it))? })
    }
}

/// A configuration that was valid when it was saved, but is not for this version.
fn outdated(problems: &[Problem]) -> ApiError {
    let sentences: Vec<_> =
        problems.iter().map(|it| format!("`{}` {}", it.path.join("."), it.message)).collect();
    let detail =
        format!("the configuration is not valid: {}; correct the consumer", sentences.join("; "));
    ApiError::Bad { code: "invalid_configuration", detail }
}

/// The idempotency key of a message: it identifies the message among all messages of all queues.
pub(crate) fn digest(consumer: ConsumerId, message: &str) -> [u8; 32] {
    let hasher = Sha256::new_with_prefix(b"postrider consumer 1");
    let hasher = hasher.chain_update(consumer.as_u128().to_be_bytes());
    hasher.chain_update(message).finalize().into()
}

/// Publishes a message. It is durable when this returns.
pub(crate) async fn accept(
    call: &Call,
    mapping: Option<&Mapping>,
    input: QueueInput<'_>,
    digest: [u8; 32],
) -> Result<Accepted, Refusal> {
    let mapped = match mapping {
        Some(mapping) => mapping.apply(input)?,
        None => read_envelope(input.body)?,
    };
    let application = id_or_uid(&mapped.application).ok_or_else(|| Refusal::Never {
        cause: DeadLetterCause::UnknownApplication,
        reason: "the application is neither an id nor a uid".to_owned(),
    })?;
    match publish(call, &application, mapped.message.as_bytes(), digest).await {
        Ok(Published::New(id)) => Ok(Accepted::New(id)),
        Ok(Published::Before(id)) => Ok(Accepted::Duplicate(id)),
        Err(ApiError::NotFound(_)) => Err(unknown(&mapped.application)),
        Err(error) => {
            if let ApiError::Internal(cause) = &error {
                let error = cause.as_ref() as &dyn std::error::Error;
                tracing::error!(error, "a message of a queue could not be published");
            }
            Err(error.into())
        },
    }
}

fn unknown(application: &str) -> Refusal {
    Refusal::Retry {
        cause: DeadLetterCause::UnknownApplication,
        reason: format!("there is no application `{application}`; create it, then retry"),
    }
}
