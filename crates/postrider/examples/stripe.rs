//! Receives Stripe webhooks: run `cargo run -p postrider --features axum --example stripe`, then
//! `postrider trigger stripe invoice.paid --to http://127.0.0.1:3000/stripe --secret whsec_test`.

use std::{error::Error, sync::Arc};

use axum::{Router, routing::any};
use postrider::receiver::{Event, Receiver};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let receiver = Arc::new(Receiver::new("stripe", ["whsec_test"])?);
    let app = Router::new().route("/stripe", any(receive)).with_state(receiver);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}

/// Runs only for genuine events. Stripe repeats events: remember the id to process each once.
#[expect(clippy::print_stdout, reason = "it shows what it got")]
async fn receive(Event { event, webhook }: Event) {
    println!("{:?} {:?} {}", webhook.event_type, webhook.event_id, event["data"]);
}
