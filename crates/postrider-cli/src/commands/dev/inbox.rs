//! The built-in receiver: verifies what arrives, and shows it.

use std::{fmt::Write, sync::Arc};

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
use postrider_core::time::Timestamp;
use postrider_engine::Engine;
use postrider_store::IdOrUid;
use tokio::sync::{OnceCell, mpsc};

use super::setup::{Demo, ENDPOINT};
use crate::output;

pub(super) const PATH: &str = "/inbox";

/// Arrivals that wait to be shown; more are not shown.
const WAITING: usize = 1_000;

/// Characters of a payload that are shown.
const PAYLOAD_SHOWN: usize = 200;

/// Something that arrived.
#[derive(Debug)]
struct Arrival {
    id: String,
    at: Timestamp,
    status: StatusCode,
    verdict: String,
    body: Bytes,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    demo: OnceCell<Demo>,
    arrivals: mpsc::Sender<Arrival>,
}

/// The end that shows what arrived.
#[derive(Debug)]
pub(super) struct Inbox {
    shared: Arc<Shared>,
    arrivals: mpsc::Receiver<Arrival>,
}

impl Inbox {
    /// The inbox, and the page that receives for it.
    pub(super) fn new(engine: Engine) -> (Self, Router) {
        let (sender, arrivals) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared { engine, demo: OnceCell::new(), arrivals: sender });
        let pages = Router::new().route(PATH, post(receive)).with_state(Arc::clone(&shared));
        (Self { shared, arrivals }, pages)
    }

    /// Shows each arrival at once, for as long as the server runs.
    pub(super) async fn show(mut self, demo: Demo) -> anyhow::Result<()> {
        let application = demo.application;
        self.shared.demo.set(demo)?;
        while let Some(arrival) = self.arrivals.recv().await {
            let event_type = self.event_type(application, &arrival.id).await;
            output::text(&shown(&arrival, &event_type))?;
        }
        Ok(())
    }

    async fn event_type(&self, application: ApplicationId, id: &str) -> String {
        let Ok(id) = id.parse::<MessageId>() else { return "?".to_owned() };
        let found = self.shared.engine.store().message(application, &IdOrUid::Id(id)).await;
        found.ok().flatten().map_or_else(|| "?".to_owned(), |it| it.event_type.to_string())
    }
}

/// Answers 503 until the secret is known: what waited since an earlier start comes again.
async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(demo) = shared.demo.get() else { return StatusCode::SERVICE_UNAVAILABLE };
    let at = shared.engine.clock().now();
    let find = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let found = Headers::find(find);
    let verified =
        found.and_then(|found| demo.verifier.verify(&found, &body, at.as_seconds(), TOLERANCE));
    let (status, verdict) = match verified {
        Ok(()) => (StatusCode::OK, "signature verified".to_owned()),
        Err(rejected) => (StatusCode::BAD_REQUEST, format!("NOT VERIFIED: {rejected}")),
    };
    let id = found.map_or_else(|_| String::new(), |found| found.id.to_owned());
    // When a crowd arrives, the terminal is what may fall behind, not the answers.
    drop(shared.arrivals.try_send(Arrival { id, at, status, verdict, body }));
    status
}

/// One line: event, endpoint, status, time from acceptance to arrival, signature, payload.
fn shown(arrival: &Arrival, event_type: &str) -> String {
    let Arrival { id, at, status, verdict, body } = arrival;
    let latency = id.parse::<MessageId>().ok().map(|id| Timestamp::from_millis(id.millis()));
    let latency =
        latency.map_or_else(|| "?".to_owned(), |from| at.since(from).as_millis().to_string());
    let body = String::from_utf8_lossy(body);
    let body = body.chars().map(|it| if it.is_control() { ' ' } else { it });
    let mut text =
        format!("{event_type}  {ENDPOINT}  {}  {latency} ms  {verdict}  {id}  ", status.as_u16());
    text.extend(body.take(PAYLOAD_SHOWN));
    writeln!(text).expect("a string takes every write");
    text
}
