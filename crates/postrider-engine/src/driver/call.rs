//! Makes the calls to endpoints.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use postrider::{AttemptId, api::EndpointKind};
use postrider_core::{
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
    sender::{Call, Report, Sender},
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
        let OutgoingCall { delivery, route, payload: message } = call;
        let Route { endpoint, target, .. } = route;
        if delivery.attempt == 1 {
            let delay = now.since(message.created_at());
            self.metrics.first_attempt_delay.observe(delay.as_secs_f64());
        }
        let sender = Arc::clone(&self.sender);
        let id = self.clock.attempt_id();
        let body = message.body.clone().unwrap_or_default();
        let call = Call { target, message, body, at: now };
        if endpoint.kind == EndpointKind::Polling {
            let polling = self.polling.clone();
            let appended = async move { polling.deliver(&call).await };
            self.calls.spawn(finished((delivery, endpoint, id), appended));
            return;
        }
        let sent = async move { sender.send(call).await };
        self.calls.spawn(finished((delivery, endpoint, id), sent));
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
        let FinishedCall { delivery, endpoint, id, report } = call;
        self.metrics.attempt_duration.observe(report.duration.as_secs_f64());
        let attempt = Attempt {
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
        };
        let jitter = self.clock.jitter();
        dispatcher.handle(Input::CallEnded { attempt, jitter }, now);
    }
}

/// Waits for the report of a call, also if the call panics.
async fn finished(
    (delivery, endpoint, id): (Delivery, Arc<Endpoint>, AttemptId),
    call: impl Future<Output = Report>,
) -> FinishedCall {
    let sent = AssertUnwindSafe(call).catch_unwind().await;
    let report = sent.unwrap_or_else(|panic| Report::panicked(&panic_text(&*panic)));
    FinishedCall { delivery, endpoint, id, report }
}
