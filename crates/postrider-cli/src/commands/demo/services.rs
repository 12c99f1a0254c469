//! The chat service and the partner of the example.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use postrider::signature::{Headers, TOLERANCE};
use serde_json::Value;
use tokio::{net::TcpListener, time::Instant};

use super::{
    records::{PartnerCall, Records},
    shop::Shop,
};

/// Path of the chat service's incoming webhook.
pub(super) const CHAT_PATH: &str = "/services/T00000000/B00000000/demo";

/// Path of the partner's receiver.
pub(super) const PARTNER_PATH: &str = "/partner/webhooks";

/// A Slack webhook takes a message per second and refuses more.
const CHAT_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Services {
    records: Records,
    shop: Shop,
    last_message: Arc<Mutex<Option<Instant>>>,
}

/// Serves both until it is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    records: Records,
    shop: Shop,
) -> anyhow::Result<()> {
    let services = Services { records, shop, last_message: Arc::default() };
    let router = Router::new()
        .route(CHAT_PATH, post(chat))
        .route(PARTNER_PATH, post(partner))
        .with_state(services);
    Ok(axum::serve(listener, router).await?)
}

/// Responds as <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
/// documents.
async fn chat(State(services): State<Services>, body: Bytes) -> Response {
    let message = serde_json::from_slice::<Value>(&body).ok();
    let text = message.as_ref().and_then(|message| message["text"].as_str());
    let Some(text) = text else {
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    };
    if services.is_too_early() {
        let headers = [("retry-after", "1")];
        return (StatusCode::TOO_MANY_REQUESTS, headers, "rate_limited").into_response();
    }
    services.records.add_chat(text.to_owned());
    "ok".into_response()
}

/// Verifies the signature as every receiver should.
async fn partner(State(services): State<Services>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(verifier) = services.shop.partner_verifier() else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    let find = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = services.shop.now().as_seconds();
    let Ok(found) = Headers::find(find) else { return StatusCode::UNAUTHORIZED };
    let verified = verifier.verify(&found, &body, now, TOLERANCE).is_ok();
    services.records.add_call(PartnerCall { id: found.id.to_owned(), verified });
    if verified { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED }
}

impl Services {
    fn is_too_early(&self) -> bool {
        let now = Instant::now();
        let mut last = self.last_message.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = last.is_some_and(|last| now - last < CHAT_INTERVAL);
        if !is_early {
            *last = Some(now);
        }
        is_early
    }
}
