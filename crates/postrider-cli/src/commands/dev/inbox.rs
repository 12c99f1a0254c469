//! The built-in receiver: verifies deliveries, prints them, and shows them on a page.

use std::{fmt::Write, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use postrider::{
    ApplicationId, MessageId,
    signature::{Headers, TOLERANCE},
};
use postrider_console::inbox::{self, Entry};
use postrider_core::time::Timestamp;
use postrider_engine::Engine;
use postrider_store::IdOrUid;
use tokio::sync::{OnceCell, mpsc};

use super::sample::{ENDPOINT, INBOX_PATH, Sample};
use crate::{output, pages::wire};

/// Deliveries that wait to be printed; further ones are not printed.
const QUEUE: usize = 1_000;

/// Characters of a payload that are printed.
const PAYLOAD_CHARS: usize = 200;

/// A delivery to the inbox.
#[derive(Debug)]
struct Received {
    id: String,
    received_at: Timestamp,
    status: StatusCode,
    verification: Result<(), String>,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    sample: OnceCell<Sample>,
    queue: mpsc::Sender<Received>,
}

/// Prints and shows what the HTTP handler received.
#[derive(Debug)]
pub(super) struct Inbox {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Received>,
    requests: inbox::Inbox,
}

impl Inbox {
    /// The inbox, and the route that receives for it.
    pub(super) fn new(engine: Engine) -> (Self, Router) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared { engine, sample: OnceCell::new(), queue: sender });
        let pages = Router::new().route(INBOX_PATH, post(receive)).with_state(Arc::clone(&shared));
        (Self { shared, queue, requests: inbox::Inbox::new() }, pages)
    }

    /// What the page shows.
    pub(super) fn requests(&self) -> inbox::Inbox {
        self.requests.clone()
    }

    /// Prints each delivery immediately, for as long as the server runs.
    pub(super) async fn run(mut self, sample: Sample) -> anyhow::Result<()> {
        let application = sample.application;
        self.shared.sample.set(sample)?;
        while let Some(received) = self.queue.recv().await {
            let event_type = self.event_type(application, &received.id).await;
            let text = render(&received, event_type.as_deref().unwrap_or("?"));
            self.requests.push(entry(received, event_type));
            output::text(&text)?;
        }
        Ok(())
    }

    async fn event_type(&self, application: ApplicationId, id: &str) -> Option<String> {
        let id = id.parse().ok()?;
        let found = self.shared.engine.store().message(application, &IdOrUid::Id(id)).await;
        Some(found.ok()??.event_type.to_string())
    }
}

/// Responds with 503 until the secret is known: deliveries left over from an earlier start are
/// retried.
async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(sample) = shared.sample.get() else { return StatusCode::SERVICE_UNAVAILABLE };
    let received_at = shared.engine.clock().now();
    let find = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let found = Headers::find(find);
    let now = received_at.as_seconds();
    let verified = found.and_then(|found| sample.verifier.verify(&found, &body, now, TOLERANCE));
    let verification = verified.map_err(|rejected| rejected.to_string());
    let status = if verification.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let id = found.map_or_else(|_| String::new(), |found| found.id.to_owned());
    // Under load, lines are lost rather than responses delayed.
    let received = Received { id, received_at, status, verification, headers, body };
    drop(shared.queue.try_send(received));
    status
}

/// The time since the message was accepted.
fn latency(received: &Received) -> Option<Duration> {
    let id: MessageId = received.id.parse().ok()?;
    Some(received.received_at.since(Timestamp::from_millis(id.millis())))
}

/// The delivery as the page shows it.
fn entry(received: Received, event_type: Option<String>) -> Entry {
    Entry {
        received_at: wire(received.received_at),
        event_type,
        latency: latency(&received),
        message_id: received.id,
        status: received.status,
        verification: received.verification,
        headers: received.headers,
        body: received.body,
    }
}

/// One line: event type, endpoint, status, time since acceptance, signature, id, payload.
fn render(received: &Received, event_type: &str) -> String {
    let Received { id, status, verification, body, .. } = received;
    let latency = latency(received).map_or_else(|| "?".to_owned(), |it| it.as_millis().to_string());
    let verification = verification.as_ref().map_or_else(
        |rejected| format!("NOT VERIFIED: {rejected}"),
        |()| "signature verified".to_owned(),
    );
    let body = String::from_utf8_lossy(body);
    let body = body.chars().map(|it| if it.is_control() { ' ' } else { it });
    let mut text = format!(
        "{event_type}  {ENDPOINT}  {}  {latency} ms  {verification}  {id}  ",
        status.as_u16()
    );
    text.extend(body.take(PAYLOAD_CHARS));
    writeln!(text).expect("writing to a string cannot fail");
    text
}
