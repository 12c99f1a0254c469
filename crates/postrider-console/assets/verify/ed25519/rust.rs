// cargo add axum base64 ed25519-dalek tokio --features tokio/full
use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};

fn is_valid(key: &VerifyingKey, body: &[u8], headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (text("webhook-id"), text("webhook-timestamp"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    if !timestamp.parse::<u64>().is_ok_and(|it| it.abs_diff(now) <= 300) {
        return false;
    }
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    text("webhook-signature").split(' ').any(|signature| {
        let value = signature.strip_prefix("v1a,").and_then(|it| BASE64_STANDARD.decode(it).ok());
        let signature = value.and_then(|it| Signature::from_slice(&it).ok());
        signature.is_some_and(|it| key.verify_strict(&signed, &it).is_ok())
    })
}

async fn receive(State(key): State<VerifyingKey>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !is_valid(&key, &body, &headers) {
        return StatusCode::BAD_REQUEST;
    }
    println!("{:?} {}", headers.get("webhook-id"), String::from_utf8_lossy(&body));
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() {
    let text = env::var("WEBHOOK_PUBLIC_KEY").expect("WEBHOOK_PUBLIC_KEY is set"); // whpk_…
    let bytes = BASE64_STANDARD.decode(text.trim_start_matches("whpk_")).expect("it is Base64");
    let bytes = bytes.try_into().expect("public keys have 32 bytes");
    let key = VerifyingKey::from_bytes(&bytes).expect("the public key is valid");
    let app = Router::new().route("/webhooks", post(receive)).with_state(key);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
