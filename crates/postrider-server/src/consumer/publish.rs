//! What becomes of one message of a queue: published, tried again, or a dead letter.

use std::time::Duration;

use postrider::api::DeadLetterCause;
use postrider_core::queue::mapping::QueueInput;
use postrider_engine::Receipt;

use super::{
    accept::{Accepted, Instructions, accept, digest},
    backoff,
    context::Context,
    dead_letters::bury,
    parked::{Pending, Reason},
    refusal::Refusal,
};
use crate::metrics::ConsumerResult;

/// How long a message waits whose dead letter could not be stored.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// What became of a message.
pub(super) enum Step {
    /// It is durable.
    Acknowledge(Receipt),
    /// It is tried again after a while.
    Park { pending: Pending, delay: Duration, reason: Reason, words: String },
}

/// Publishes a message.
pub(super) async fn publish(
    context: &Context,
    instructions: &Instructions,
    pending: Pending,
) -> Step {
    let message = &pending.message;
    let (subject, headers) = (message.subject.as_deref(), &message.headers);
    let input = QueueInput { subject, headers, body: &message.body };
    let digest = digest(context.consumer.id, &message.id);
    match accept(&context.call(), instructions.mapping.as_ref(), input, digest).await {
        Ok(accepted) => {
            context.state.count(match accepted {
                Accepted::New(_) => ConsumerResult::Accepted,
                Accepted::Duplicate(_) => ConsumerResult::Duplicate,
            });
            Step::Acknowledge(pending.message.receipt)
        },
        Err(refusal) => refused(context, pending, refusal).await,
    }
}

async fn refused(context: &Context, mut pending: Pending, refusal: Refusal) -> Step {
    match refusal {
        Refusal::Wait { delay, reason, is_general } => {
            Step::Park { pending, delay, reason: Reason::Server { is_general }, words: reason }
        },
        Refusal::Retry { reason, .. } if pending.attempts + 1 < context.consumer.max_attempts => {
            pending.attempts += 1;
            let delay = backoff::retry(pending.attempts);
            Step::Park { pending, delay, reason: Reason::Refused, words: reason }
        },
        Refusal::Retry { cause, reason } | Refusal::Never { cause, reason } => {
            put_on_list(context, pending, cause, reason).await
        },
    }
}

/// Puts a message on the dead-letter list. If that is not possible, the message waits.
async fn put_on_list(
    context: &Context,
    pending: Pending,
    cause: DeadLetterCause,
    reason: String,
) -> Step {
    match bury(&context.call(), &context.consumer, &pending, (cause, reason)).await {
        Ok(()) => {
            context.state.count(ConsumerResult::DeadLetter);
            Step::Acknowledge(pending.message.receipt)
        },
        Err(error) => {
            let words = format!("a dead letter cannot be stored: {}", chain(&error));
            let reason = Reason::Server { is_general: true };
            Step::Park { pending, delay: STORE_WAIT, reason, words }
        },
    }
}

/// The error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
