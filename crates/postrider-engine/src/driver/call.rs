//! Makes the calls to endpoints.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::Method;
use postrider::{AttemptId, api::EndpointKind};
use postrider_core::{
    batch_request,
    catalog::Endpoint,
    delivery::{Attempt, Delivery, Trigger},
    dispatch::{Input, OutgoingCall},
    message::Message,
    outcome::Failure,
    time::Timestamp,
    trace::{
        TraceContext,
        attempt::{EndedAttempt, Place},
    },
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
    tracer::Tracer,
};

/// Shown with the attempt.
const DAMAGED: &str = "the stored message does not match its checksum, so it was not sent; publish \
    the event again; the operator finds the row in the log and with `postrider verify-data`";

/// A call that the dispatcher asks for.
type Outgoing = OutgoingCall<Route, Arc<Message>>;

/// Makes calls, each in its own task.
#[derive(Debug)]
pub(super) struct Caller {
    sender: Arc<dyn Sender>,
    polling: Polling,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    tracer: Option<Tracer>,
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

/// What a call is for.
#[derive(Debug)]
struct CallSubject {
    first: CalledDelivery,
    /// The other deliveries of a batch.
    others: Vec<CalledDelivery>,
    /// Deliveries that were taken out of the batch, because their messages are damaged.
    damaged: Vec<CalledDelivery>,
    /// As it was when the call began.
    endpoint: Arc<Endpoint>,
    trace: Option<Box<AttemptTrace>>,
}

/// A call that ended.
#[derive(Debug)]
pub(super) struct FinishedCall {
    subject: CallSubject,
    report: Report,
}

/// The span of an attempt that has begun.
#[derive(Debug)]
struct AttemptTrace {
    place: Place,
    began_at: Duration,
    /// The method, if it is called over HTTP.
    method: Option<Method>,
}

impl Caller {
    pub(super) fn new(components: &Components) -> Self {
        Self {
            sender: Arc::clone(&components.sender),
            polling: components.polling.clone(),
            clock: Arc::clone(&components.clock),
            metrics: Arc::clone(&components.metrics),
            tracer: components.settings.tracer.clone(),
            calls: JoinSet::new(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn start(&mut self, call: Outgoing, now: Timestamp) {
        let endpoint = Arc::clone(&call.route.endpoint);
        let (call, damaged) = without_damaged(call);
        let damaged = damaged.into_iter().map(|(delivery, it)| self.called(delivery, &it, now));
        let damaged: Vec<_> = damaged.collect();
        match call {
            Some(call) => self.send(call, damaged, now),
            None => self.report_damaged(damaged, endpoint),
        }
    }

    /// Ends deliveries that are not called for, since all messages are damaged.
    fn report_damaged(&mut self, damaged: Vec<CalledDelivery>, endpoint: Arc<Endpoint>) {
        let mut damaged = damaged.into_iter();
        let first = damaged.next().expect("a call has a delivery");
        let others = damaged.collect();
        let subject = CallSubject { first, others, damaged: Vec::new(), endpoint, trace: None };
        self.calls.spawn(finished(std::future::ready(damaged_report()), subject));
    }

    fn send(&mut self, call: Outgoing, damaged: Vec<CalledDelivery>, now: Timestamp) {
        let OutgoingCall { delivery, route, payload: message, others } = call;
        let Route { endpoint, target, .. } = route;
        let first = self.called(delivery, &message, now);
        let sender = Arc::clone(&self.sender);
        let (others, batch) = self.batch(&endpoint, &message, others, now);
        let mut subject = CallSubject { first, others, damaged, endpoint, trace: None };
        let is_polling = subject.endpoint.kind == EndpointKind::Polling && !target.is_shadow;
        if is_polling {
            let call = Call { target, message, batch, body: Bytes::new(), at: now, trace: None };
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
        let mut call = Call { target, message, batch, body, at: now, trace: None };
        if call.target.is_shadow {
            let recorded = record_shadow(sender.shaper().cloned(), call);
            self.calls.spawn(finished(recorded, subject));
            return;
        }
        let delivery = &subject.first.delivery;
        subject.trace = self.tracer.as_ref().map(|it| Box::new(self.trace(it, delivery, &call)));
        call.trace = forwarded(&call, subject.trace.as_deref());
        let sent = async move { sender.send(call).await };
        self.calls.spawn(finished(sent, subject));
    }

    fn trace(&self, tracer: &Tracer, delivery: &Delivery, call: &Call) -> AttemptTrace {
        let messages: Vec<&Message> = if call.batch.is_empty() {
            vec![&call.message]
        } else {
            call.batch.iter().map(|it| &**it).collect()
        };
        let made = (self.clock.span_ids(), tracer.sampler());
        AttemptTrace {
            place: Place::of_attempt(delivery, &messages, call.at, made),
            began_at: self.clock.precise(),
            method: call.target.http().map(|it| it.method.clone()),
        }
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
        let FinishedCall { subject, report } = call;
        if let (Some(tracer), Some(trace)) = (&self.tracer, &subject.trace) {
            record(tracer, trace, &subject, &report);
        }
        let CallSubject { first, others, damaged, endpoint, trace: _ } = subject;
        self.metrics.attempt_duration.observe(report.duration.as_secs_f64());
        for called in std::iter::once(&first).chain(&others) {
            self.observe(called, &report, now);
        }
        for called in &damaged {
            self.observe(called, &damaged_report(), now);
        }
        let jitter = self.clock.jitter();
        if others.is_empty() && damaged.is_empty() {
            let attempt = attempt(&first, &endpoint, report);
            return dispatcher.handle(Input::CallEnded { attempt, jitter }, now);
        }
        let repeated = report.repeated();
        let rest = others.iter().map(|called| attempt(called, &endpoint, repeated.clone()));
        let damaged = damaged.iter().map(|called| attempt(called, &endpoint, damaged_report()));
        let rest: Vec<_> = rest.chain(damaged).collect();
        let attempts = std::iter::once(attempt(&first, &endpoint, report)).chain(rest);
        dispatcher.handle(Input::BatchEnded { attempts: attempts.collect(), jitter }, now);
    }
}

/// The call without deliveries whose message is damaged, so that the other messages of a batch are
/// sent. No call is left if all are damaged.
fn without_damaged(call: Outgoing) -> (Option<Outgoing>, Vec<(Delivery, Arc<Message>)>) {
    let is_intact = |message: &Message| message.body.is_some();
    if is_intact(&call.payload) && call.others.iter().all(|(_, it)| is_intact(it)) {
        return (Some(call), Vec::new());
    }
    let OutgoingCall { delivery, route, payload, others } = call;
    let all = std::iter::once((delivery, payload)).chain(others);
    let (intact, damaged): (Vec<_>, Vec<_>) = all.partition(|(_, it)| is_intact(it));
    let mut intact = intact.into_iter();
    let call = intact.next().map(|(delivery, payload)| OutgoingCall {
        delivery,
        route,
        payload,
        others: intact.collect(),
    });
    (call, damaged)
}

fn damaged_report() -> Report {
    Report::failed(Failure::Damaged, DAMAGED)
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

/// The trace context of the request, if the endpoint gets one: that of the attempt, or of the
/// message if attempts are not traced.
fn forwarded(call: &Call, trace: Option<&AttemptTrace>) -> Option<Box<TraceContext>> {
    if !call.target.http().is_some_and(|it| it.forwards_trace_context) {
        return None;
    }
    match trace {
        Some(trace) => Some(Box::new(trace.place.context.clone())),
        // Those of several messages contradict each other.
        None if call.batch.len() > 1 => None,
        None => call.message.trace.clone(),
    }
}

/// Records the span of a call that has ended.
fn record(tracer: &Tracer, trace: &AttemptTrace, call: &CallSubject, report: &Report) {
    if !trace.place.context.is_sampled() {
        return;
    }
    let CallSubject { first, others, endpoint, .. } = call;
    let transformed = report.response.clone().take_transformed();
    let transformed = transformed.and_then(|it| it.request).map(|it| it.method);
    let ended = EndedAttempt {
        delivery: &first.delivery,
        id: first.id,
        kind: endpoint.kind,
        messages: others.len() + 1,
        url: report.url.as_deref().unwrap_or(&endpoint.url),
        address: report.address,
        method: trace.method.as_ref().map(|it| transformed.as_deref().unwrap_or(it.as_str())),
        outcome: report.outcome,
        is_cancelled: report.response.is_cancelled(),
    };
    tracer.record(ended.span(trace.place.clone(), trace.began_at, report.duration));
}

/// Waits for the report of a call, also if the call panics.
async fn finished(call: impl Future<Output = Report>, subject: CallSubject) -> FinishedCall {
    let sent = AssertUnwindSafe(call).catch_unwind().await;
    let report = sent.unwrap_or_else(|panic| Report::panicked(&panic_text(&*panic)));
    FinishedCall { subject, report }
}
