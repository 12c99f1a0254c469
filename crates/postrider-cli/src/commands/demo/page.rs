//! The pages of the example shop.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use super::{
    setup::{TIMEOUT, live_url},
    shop::{PAGE_PATH, Shop},
};
use crate::commands::provider::{outgoing, send};

/// The page; `LIVE_URL` is replaced by the URL of the stream.
const PAGE: &str = include_str!("../../../../../examples/shop/page.html");

pub(super) fn router(shop: Shop) -> Router {
    Router::new()
        .route(PAGE_PATH, get(page))
        .route("/shop/order", post(order))
        .route("/shop/effects", get(effects))
        .with_state(shop)
}

async fn page(State(shop): State<Shop>) -> Response {
    let Some(ready) = shop.ready() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the shop opens in a moment").into_response();
    };
    match live_url(&ready.access).await {
        Ok(url) => {
            let literal = json!(url).to_string().replace('<', "\\u003c");
            let page = Html(PAGE.replace("\"LIVE_URL\"", &literal));
            // It contains a token.
            ([("cache-control", "no-store")], page).into_response()
        },
        Err(error) => failed(&error),
    }
}

/// Sends what Stripe sends when a customer has paid.
async fn order(State(shop): State<Shop>) -> Response {
    match send_event(&shop).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failed(&error),
    }
}

async fn send_event(shop: &Shop) -> anyhow::Result<()> {
    let ready = shop.ready().ok_or_else(|| anyhow::anyhow!("the shop is not open yet"))?;
    let now = shop.now().as_seconds();
    let draft = ready.stripe.draft(Some("checkout.session.completed"), now)?;
    let signed = ready.stripe.sign(draft, now)?;
    let response = send(outgoing(&signed)?, TIMEOUT).await.result?;
    anyhow::ensure!(response.status.is_success(), "the webhook got {}", response.status);
    Ok(())
}

async fn effects(State(shop): State<Shop>) -> Response {
    let effects = shop.effects().await.and_then(|effects| Ok(serde_json::to_vec(&effects)?));
    match effects {
        Ok(json) => ([("content-type", "application/json")], json).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> Response {
    (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response()
}
