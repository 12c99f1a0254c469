//! Records the spans of traces for their export.

use std::sync::Arc;

use postrider_core::trace::{Sampler, Span};
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use tokio::sync::mpsc;

/// Records spans; cheap to clone. It never waits: what does not fit into the queue is dropped.
#[derive(Clone, Debug)]
pub struct Tracer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sampler: Sampler,
    queue: mpsc::Sender<Span>,
    exported: Counter,
    dropped: Counter,
}

/// The spans that wait for their export.
#[derive(Debug)]
pub struct SpanQueue {
    spans: mpsc::Receiver<Span>,
    exported: Counter,
    dropped: Counter,
}

impl Tracer {
    /// A tracer, and the queue of its spans, at most `max_spans`.
    pub fn new(sampler: Sampler, max_spans: usize) -> (Self, SpanQueue) {
        let (queue, spans) = mpsc::channel(max_spans);
        let (exported, dropped) = (Counter::default(), Counter::default());
        let inner = Inner { sampler, queue, exported: exported.clone(), dropped: dropped.clone() };
        (Self { inner: Arc::new(inner) }, SpanQueue { spans, exported, dropped })
    }

    /// Decides which traces are recorded.
    pub fn sampler(&self) -> &Sampler {
        &self.inner.sampler
    }

    /// Records a span, if its trace is recorded and there is room.
    pub fn record(&self, span: Span) {
        if span.context.is_sampled() && self.inner.queue.try_send(span).is_err() {
            self.inner.dropped.inc();
        }
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        let (exported, dropped) = (self.inner.exported.clone(), self.inner.dropped.clone());
        registry.register(
            "exported_spans",
            "Spans that the collector of traces accepted",
            exported,
        );
        registry.register(
            "dropped_spans",
            "Spans that were lost, because the collector of traces was too slow or failed",
            dropped,
        );
    }
}

impl SpanQueue {
    /// Waits for spans and appends at most `max` of them. The result is their number; 0 if there
    /// will be no more.
    pub async fn take(&mut self, batch: &mut Vec<Span>, max: usize) -> usize {
        self.spans.recv_many(batch, max).await
    }

    /// Accepts no more spans. Those that wait can still be taken.
    pub fn close(&mut self) {
        self.spans.close();
    }

    /// Counts spans that were exported.
    pub fn count_exported(&self, spans: usize) {
        self.exported.inc_by(spans as u64);
    }

    /// Counts spans that were lost.
    pub fn count_dropped(&self, spans: usize) {
        self.dropped.inc_by(spans as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postrider_core::trace::{SpanId, SpanKind, TraceContext, TraceId};

    use super::*;

    fn span(is_sampled: bool) -> Span {
        Span {
            name: "test".into(),
            kind: SpanKind::Client,
            context: TraceContext::new(TraceId([1; 16]), SpanId([1; 8]), is_sampled),
            parent: None,
            links: Vec::new(),
            began_at: Duration::ZERO,
            duration: Duration::ZERO,
            attributes: Vec::new(),
            error: None,
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped_and_counted() {
        let (tracer, mut queue) = Tracer::new(Sampler::default(), 2);
        for is_sampled in [true, false, true, false, true] {
            tracer.record(span(is_sampled));
        }
        assert_eq!(queue.dropped.get(), 1);
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch, 10).await, 2);
        queue.close();
        tracer.record(span(true));
        assert_eq!(queue.dropped.get(), 2);
        assert_eq!(queue.take(&mut batch, 10).await, 0);
    }
}
