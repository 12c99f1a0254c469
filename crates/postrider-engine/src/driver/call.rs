//! Makes the calls to endpoints.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use postrider::{AttemptId, api::EndpointKind};
use postrider_core::{
    batch_request,
    catalog::Endpoint,
    delivery::{Attempt, Delivery},
    dispatch::{Input, OutgoingCall},
    message::Message,
    time::Timestamp,
};
use tokio::task::JoinSet;

use super::lanes::Dispatcher;
use crate::{
    clock::Clock,
    components::Components,
    directory::Route,
    metrics::Metrics,
    panic_text::panic_text,
    polling::Polling,
    sender::{Call, Report, Sender, record_shadow},
};

/// Makes calls, each in its own task.
#[derive(Debug)]
pub(super) struct Caller {
    sender: Arc<dyn Sender>,
    polling: Polling,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    calls: JoinSet<FinishedCall>,
}

/// A call that ended.
#[derive(Debug)]
pub(super) struct FinishedCall {
    delivery: Delivery,
    /// The other deliveries of a batch.
    others: Vec<(Delivery, AttemptId)>,
    /// As it was when the call began.
    endpoint: Arc<Endpoint>,
    /// Made when the call began.
    id: AttemptId,
    report: Report,
}

impl Caller {
    pub(super) fn new(components: &Components) -> Self {
        Self {
            sender: Arc::clone(&components.sender),
            polling: components.polling.clone(),
            clock: Arc::clone(&components.clock),
            metrics: Arc::clone(&components.metrics),
            calls: JoinSet::new(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn start(&mut self, call: OutgoingCall<Route, Arc<Message>>, now: Timestamp) {
        let OutgoingCall { delivery, route, payload: message, others } = call;
        let Route { endpoint, target, .. } = route;
        self.observe(&delivery, &message, now);
        let sender = Arc::clone(&self.sender);
        let id = self.clock.attempt_id();
        let (others, batch) = self.batch(&endpoint, &message, others, now);
        let is_polling = endpoint.kind == EndpointKind::Polling && !target.is_shadow;
        if is_polling {
            let call = Call { target, message, batch, body: Bytes::new(), at: now };
            let polling = self.polling.clone();
            let appended = async move { polling.deliver(&call).await };
            self.calls.spawn(finished(appended, (delivery, others, endpoint, id)));
            return;
        }
        let body = if batch.is_empty() {
            message.body.clone().unwrap_or_default()
        } else {
            batch_request::body(&batch)
        };
        let call = Call { target, message, batch, body, at: now };
        if call.target.is_shadow {
            let recorded = record_shadow(sender.shaper().cloned(), call);
            self.calls.spawn(finished(recorded, (delivery, others, endpoint, id)));
            return;
        }
        let sent = async move { sender.send(call).await };
        self.calls.spawn(finished(sent, (delivery, others, endpoint, id)));
    }

    /// The other deliveries of a batch with the ids of their attempts, and its messages; nothing if
    /// the endpoint gets no batches.
    fn batch(
        &self,
        endpoint: &Endpoint,
        first: &Arc<Message>,
        others: Vec<(Delivery, Arc<Message>)>,
        now: Timestamp,
    ) -> (Vec<(Delivery, AttemptId)>, Vec<Arc<Message>>) {
        if endpoint.batch.is_none() && others.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let mut messages = vec![Arc::clone(first)];
        let deliveries = others.into_iter().map(|(delivery, message)| {
            self.observe(&delivery, &message, now);
            messages.push(message);
            (delivery, self.clock.attempt_id())
        });
        (deliveries.collect(), messages)
    }

    fn observe(&self, delivery: &Delivery, message: &Message, now: Timestamp) {
        if delivery.attempt == 1 {
            let delay = now.since(message.created_at());
            self.metrics.first_attempt_delay.observe(delay.as_secs_f64());
        }
    }

    /// A call that has ended; pending if there is none, even if no call is in flight.
    pub(super) fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<FinishedCall> {
        match self.calls.poll_join_next(ctx) {
            Poll::Ready(Some(call)) => Poll::Ready(call.expect("a sender's panic is caught")),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Hands the result of a call to the dispatcher.
    pub(super) fn finish(&self, call: FinishedCall, dispatcher: &mut Dispatcher, now: Timestamp) {
        let FinishedCall { delivery, others, endpoint, id, report } = call;
        self.metrics.attempt_duration.observe(report.duration.as_secs_f64());
        let jitter = self.clock.jitter();
        if others.is_empty() {
            let attempt = attempt(&delivery, id, &endpoint, report);
            return dispatcher.handle(Input::CallEnded { attempt, jitter }, now);
        }
        let repeated = report.repeated();
        let rest = others.into_iter();
        let rest = rest.map(|(delivery, id)| attempt(&delivery, id, &endpoint, repeated.clone()));
        let rest: Vec<_> = rest.collect();
        let attempts = std::iter::once(attempt(&delivery, id, &endpoint, report)).chain(rest);
        dispatcher.handle(Input::BatchEnded { attempts: attempts.collect(), jitter }, now);
    }
}

fn attempt(delivery: &Delivery, id: AttemptId, endpoint: &Endpoint, report: Report) -> Attempt {
    Attempt {
        id,
        delivery: delivery.id,
        number: delivery.attempt,
        trigger: delivery.trigger,
        at: Timestamp::from_millis(id.millis()),
        duration: report.duration,
        url: report.url.unwrap_or_else(|| endpoint.url.clone()),
        address: report.address,
        outcome: report.outcome,
        response: Some(report.response),
    }
}

/// What a call is for: its delivery, the others of its batch, the endpoint and the attempt.
type CallSubject = (Delivery, Vec<(Delivery, AttemptId)>, Arc<Endpoint>, AttemptId);

/// Waits for the report of a call, also if the call panics.
async fn finished(
    call: impl Future<Output = Report>,
    (delivery, others, endpoint, id): CallSubject,
) -> FinishedCall {
    let sent = AssertUnwindSafe(call).catch_unwind().await;
    let report = sent.unwrap_or_else(|panic| Report::panicked(&panic_text(&*panic)));
    FinishedCall { delivery, others, endpoint, id, report }
}
