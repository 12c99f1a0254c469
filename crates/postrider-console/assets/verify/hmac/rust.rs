// cargo add axum standardwebhooks tokio --features tokio/full
use std::{env, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use standardwebhooks::Webhook;

async fn receive(
    State(webhook): State<Arc<Webhook>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if webhook.verify(&body, &headers).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    println!("{:?} {}", headers.get("webhook-id"), String::from_utf8_lossy(&body));
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() {
    let secret = env::var("WEBHOOK_SECRET").expect("WEBHOOK_SECRET is set"); // whsec_…
    let webhook = Arc::new(Webhook::new(&secret).expect("the secret is valid"));
    let app = Router::new().route("/webhooks", post(receive)).with_state(webhook);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
