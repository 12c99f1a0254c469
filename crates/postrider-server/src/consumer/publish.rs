//! What becomes of one message of a queue: published, tried again, or a dead letter.

use std::{sync::Arc, time::Duration};

use http::HeaderName;
use postrider::api::DeadLetterCause;
use postrider_core::{
    queue::mapping::QueueInput,
    trace::{
        TraceContext,
        context::{TRACEPARENT, TRACESTATE},
    },
};
use postrider_engine::{QueueMessage, Receipt};

use super::{
    accept::{Accepted, Instructions, accept, digest},
    backoff,
    context::Context,
    dead_letters::bury,
    parked::{Pending, Reason},
    refusal::Refusal,
};
use crate::{metrics::ConsumerResult, operations::call::Call, traces::RequestTrace};

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
    let trace = trace(context, message);
    let call = Call { trace: trace.clone(), ..context.call() };
    let accepted = accept(&call, instructions.mapping.as_ref(), input, digest).await;
    if let Some(trace) = trace {
        trace.end(accepted.as_ref().err().map(|refusal| refusal.error_type().to_owned()));
    }
    match accepted {
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

/// The trace of the message, which continues that of its publisher.
fn trace(context: &Context, message: &QueueMessage) -> Option<Arc<RequestTrace>> {
    let header = |wanted: &HeaderName| {
        let mut headers = message.headers.iter();
        let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_str()));
        found.map(|(_, value)| value.as_str())
    };
    let parent = header(&TRACEPARENT)
        .and_then(|parent| TraceContext::parse(parent, header(&TRACESTATE).map(Some).into_iter()));
    let resources = context.operations.resources();
    RequestTrace::of_queue_message(&resources.engine, &resources.settings, parent, || {
        vec![
            ("messaging.system", context.consumer.kind.name().into()),
            ("messaging.operation.name", "process".into()),
            ("messaging.operation.type", "process".into()),
            ("messaging.message.id", message.id.clone().into()),
            ("postrider.consumer.id", context.consumer.id.to_string().into()),
        ]
    })
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
