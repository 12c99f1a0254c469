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
    delivery::{Attempt, Delivery, Trigger},
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
    metrics::{AttemptResult, Metrics},
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

/// A delivery that a call is made for.
#[derive(Debug)]
struct CalledDelivery {
    delivery: Delivery,
    /// Made when the call began.
    id: AttemptId,
    /// When the delivery should have been made.
    expected_at: Timestamp,
}

/// A call that ended.
#[derive(Debug)]
pub(super) struct FinishedCall {
    first: CalledDelivery,
    /// The other deliveries of a batch.
    others: Vec<CalledDelivery>,
    /// As it was when the call began.
    endpoint: Arc<Endpoint>,
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
        let first = self.called(delivery, &message, now);
        let sender = Arc::clone(&self.sender);
        let (others, batch) = self.batch(&endpoint, &message, others, now);
        let subject = CallSubject { first, others, endpoint };
        let is_polling = subject.endpoint.kind == EndpointKind::Polling && !target.is_shadow;
        if is_polling {
            let call = Call { target, message, batch, body: Bytes::new(), at: now };
            let polling = self.polling.clone();
            let appended = async move { polling.deliver(&call).await };
            self.calls.spawn(finished(appended, subject));
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
            self.calls.spawn(finished(recorded, subject));
            return;
        }
        let sent = async move { sender.send(call).await };
        self.calls.spawn(finished(sent, subject));
    }

    /// The other deliveries of a batch with the ids of their attempts, and its messages; nothing if
    /// the endpoint gets no batches.
    fn batch(
        &self,
        endpoint: &Endpoint,
        first: &Arc<Message>,
        others: Vec<(Delivery, Arc<Message>)>,
        now: Timestamp,
    ) -> (Vec<CalledDelivery>, Vec<Arc<Message>>) {
        if endpoint.batch.is_none() && others.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let mut messages = vec![Arc::clone(first)];
        let deliveries = others.into_iter().map(|(delivery, message)| {
            let called = self.called(delivery, &message, now);
            messages.push(message);
            called
        });
        (deliveries.collect(), messages)
    }

    fn called(&self, delivery: Delivery, message: &Message, now: Timestamp) -> CalledDelivery {
        let expected_at = message.deliver_at.unwrap_or_else(|| message.created_at());
        if delivery.attempt == 1 {
            let delay = now.since(expected_at);
            self.metrics.first_attempt_delay.observe(delay.as_secs_f64());
        }
        CalledDelivery { delivery, id: self.clock.attempt_id(), expected_at }
    }

    /// Counts the result of an attempt.
    fn observe(&self, called: &CalledDelivery, report: &Report, now: Timestamp) {
        let delivery = &called.delivery;
        self.metrics.count_failure(report.outcome);
        let place = (delivery.application, delivery.id.endpoint);
        let is_delivered = report.outcome.delivered();
        let result = if is_delivered { AttemptResult::Delivered } else { AttemptResult::Failed };
        self.metrics.endpoints.observe(place, result, report.duration, now);
        // A delivery that a client asked to repeat says nothing about the time that it took.
        if is_delivered && delivery.trigger == Trigger::Scheduled {
            let delay = now.since(called.expected_at);
            self.metrics.delivery_delay.observe(delay.as_secs_f64());
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
        let FinishedCall { first, others, endpoint, report } = call;
        self.metrics.attempt_duration.observe(report.duration.as_secs_f64());
        for called in std::iter::once(&first).chain(&others) {
            self.observe(called, &report, now);
        }
        let jitter = self.clock.jitter();
        if others.is_empty() {
            let attempt = attempt(&first, &endpoint, report);
            return dispatcher.handle(Input::CallEnded { attempt, jitter }, now);
        }
        let repeated = report.repeated();
        let rest = others.iter().map(|called| attempt(called, &endpoint, repeated.clone()));
        let rest: Vec<_> = rest.collect();
        let attempts = std::iter::once(attempt(&first, &endpoint, report)).chain(rest);
        dispatcher.handle(Input::BatchEnded { attempts: attempts.collect(), jitter }, now);
    }
}

fn attempt(called: &CalledDelivery, endpoint: &Endpoint, report: Report) -> Attempt {
    let CalledDelivery { delivery, id, .. } = called;
    Attempt {
        id: *id,
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

/// What a call is for.
struct CallSubject {
    first: CalledDelivery,
    others: Vec<CalledDelivery>,
    endpoint: Arc<Endpoint>,
}

/// Waits for the report of a call, also if the call panics.
async fn finished(call: impl Future<Output = Report>, subject: CallSubject) -> FinishedCall {
    let sent = AssertUnwindSafe(call).catch_unwind().await;
    let report = sent.unwrap_or_else(|panic| Report::panicked(&panic_text(&*panic)));
    let CallSubject { first, others, endpoint } = subject;
    FinishedCall { first, others, endpoint, report }
}
