//! Sends spans to the collector, in batches, on a thread of its own.
//!
//! Encoding and compressing a batch takes milliseconds, which the threads of deliveries do not
//! have.

use std::{io, thread, time::Duration};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{
    Compression, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{Resource, trace::SpanExporter as _};
use postrider_core::trace::{
    Span,
    settings::{QueueSettings, TraceSettings},
};
use postrider_engine::SpanQueue;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{client::CollectorClient, spans::exported};

/// The name of the service, unless the environment has another.
const SERVICE: &str = "postrider";

/// A collector that fails is in the log once in this time.
const QUIET: Duration = Duration::from_secs(60);

/// Sends spans to the collector.
#[derive(Debug)]
pub(crate) struct Exporter {
    queue: SpanQueue,
    settings: QueueSettings,
    otlp: SpanExporter,
    scope: InstrumentationScope,
    warned_at: Option<Instant>,
}

/// An exporter whose thread runs.
#[derive(Debug)]
pub(crate) struct RunningExporter {
    stop: CancellationToken,
    has_ended: oneshot::Receiver<()>,
    timeout: Duration,
}

impl Exporter {
    pub(super) fn new(settings: &TraceSettings, queue: SpanQueue) -> anyhow::Result<Self> {
        let is_https = settings.endpoint.scheme() == "https";
        let mut builder = SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new(is_https, settings.timeout)?)
            .with_endpoint(settings.endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(settings.timeout);
        if settings.is_compressed {
            builder = builder.with_compression(Compression::Gzip);
        }
        let mut otlp = builder.build()?;
        otlp.set_resource(&resource(settings.is_named));
        let scope =
            InstrumentationScope::builder(SERVICE).with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self { queue, settings: settings.queue, otlp, scope, warned_at: None })
    }

    /// Starts the thread.
    pub(crate) fn start(self) -> io::Result<RunningExporter> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (done, has_ended) = oneshot::channel();
        let stop = CancellationToken::new();
        let (stopped, timeout) = (stop.clone(), self.settings.final_timeout);
        thread::Builder::new().name("traces".to_owned()).spawn(move || {
            runtime.block_on(self.run(stopped));
            // If the server ends otherwise, there is no receiver.
            done.send(()).ok();
        })?;
        Ok(RunningExporter { stop, has_ended, timeout })
    }

    /// Exports until `stop` is cancelled, and then what still waits. If the collector fails then,
    /// the rest is dropped, so that it does not delay the end of the server.
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let batch = self.next_batch(&stop).await;
            if batch.is_empty() {
                return;
            }
            if !self.export(batch).await && stop.is_cancelled() {
                return;
            }
        }
    }

    /// The next batch: when it is full, or its first span has waited long enough. Empty if there
    /// are no more spans.
    async fn next_batch(&mut self, stop: &CancellationToken) -> Vec<Span> {
        let QueueSettings { max_batch, delay, .. } = self.settings;
        let mut batch = Vec::new();
        let mut ready_at = None;
        let room_in = |batch: &Vec<Span>| max_batch - batch.len();
        while batch.len() < max_batch {
            let room = room_in(&batch);
            let timer = async {
                match ready_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.queue.close();
                    while room_in(&batch) > 0 {
                        let room = room_in(&batch);
                        if self.queue.take(&mut batch, room).await == 0 {
                            break;
                        }
                    }
                    return batch;
                },
                () = timer => return batch,
                count = self.queue.take(&mut batch, room) => if count == 0 {
                    return batch;
                },
            }
            ready_at.get_or_insert_with(|| Instant::now() + delay);
        }
        batch
    }

    /// Whether the collector accepted the batch, if necessary after retries within the time limit.
    async fn export(&mut self, batch: Vec<Span>) -> bool {
        let count = batch.len();
        let spans = batch.into_iter().map(|span| exported(span, &self.scope)).collect();
        match self.otlp.export(spans).await {
            Ok(()) => {
                self.queue.count_exported(count);
                true
            },
            Err(error) => {
                self.queue.count_dropped(count);
                self.warn(&error.to_string());
                false
            },
        }
    }

    fn warn(&mut self, error: &str) {
        let now = Instant::now();
        if self.warned_at.is_none_or(|at| now >= at + QUIET) {
            self.warned_at = Some(now);
            tracing::warn!(
                error,
                "the collector of traces does not accept spans, which are dropped; check \
                 OTEL_EXPORTER_OTLP_ENDPOINT and the collector; postrider_dropped_spans_total \
                 counts them"
            );
        }
    }
}

impl RunningExporter {
    /// Exports what still waits, within a time limit, and ends.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        if tokio::time::timeout(self.timeout, self.has_ended).await.is_err() {
            tracing::warn!("the last spans were not exported in time");
        }
    }
}

/// What the spans are about: this program, and what the environment says.
fn resource(is_named: bool) -> Resource {
    let builder = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_named { builder } else { builder.with_service_name(SERVICE) }.build()
}
