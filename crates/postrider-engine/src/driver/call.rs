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
    delivery::{Attempt, Delivery},
    dispatch::{Input, OutgoingCall},
    message::Message,
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
    metrics::Metrics,
    panic_text::panic_text,
    polling::Polling,
    sender::{Call, Report, Sender},
    tracer::Tracer,
};

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
    trace: Option<Box<AttemptTrace>>,
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

    pub(super) fn start(&mut self, call: OutgoingCall<Route, Arc<Message>>, now: Timestamp) {
        let OutgoingCall { delivery, route, payload: message, others } = call;
        let Route { endpoint, target, .. } = route;
        self.observe(&delivery, &message, now);
        let sender = Arc::clone(&self.sender);
        let id = self.clock.attempt_id();
        let (others, batch) = self.batch(&endpoint, &message, others, now);
        if endpoint.kind == EndpointKind::Polling {
            let call = Call { target, message, batch, body: Bytes::new(), at: now, trace: None };
            let polling = self.polling.clone();
            let appended = async move { polling.deliver(&call).await };
            let subject = CallSubject { delivery, others, endpoint, id, trace: None };
            self.calls.spawn(finished(appended, subject));
            return;
        }
        let body = if batch.is_empty() {
            message.body.clone().unwrap_or_default()
        } else {
            batch_request::body(&batch)
        };
        let mut call = Call { target, message, batch, body, at: now, trace: None };
        let trace = self.tracer.as_ref().map(|it| Box::new(self.trace(it, &delivery, &call)));
        call.trace = forwarded(&call, trace.as_deref());
        let sent = async move { sender.send(call).await };
        self.calls.spawn(finished(sent, CallSubject { delivery, others, endpoint, id, trace }));
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
        if let (Some(tracer), Some(trace)) = (&self.tracer, &call.trace) {
            record(tracer, trace, &call);
        }
        let FinishedCall { delivery, others, endpoint, id, report, trace: _ } = call;
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
fn record(tracer: &Tracer, trace: &AttemptTrace, call: &FinishedCall) {
    if !trace.place.context.is_sampled() {
        return;
    }
    let FinishedCall { delivery, others, endpoint, id, report, .. } = call;
    let transformed = report.response.clone().take_transformed();
    let transformed = transformed.and_then(|it| it.request).map(|it| it.method);
    let ended = EndedAttempt {
        delivery,
        id: *id,
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

/// What a call is for.
struct CallSubject {
    delivery: Delivery,
    /// The other deliveries of a batch.
    others: Vec<(Delivery, AttemptId)>,
    endpoint: Arc<Endpoint>,
    id: AttemptId,
    trace: Option<Box<AttemptTrace>>,
}

/// Waits for the report of a call, also if the call panics.
async fn finished(call: impl Future<Output = Report>, subject: CallSubject) -> FinishedCall {
    let sent = AssertUnwindSafe(call).catch_unwind().await;
    let report = sent.unwrap_or_else(|panic| Report::panicked(&panic_text(&*panic)));
    let CallSubject { delivery, others, endpoint, id, trace } = subject;
    FinishedCall { delivery, others, endpoint, id, report, trace }
}
