//! A broker of a test, and what a server made of its messages.

use std::ops::Range;

use async_trait::async_trait;
use serde_json::Value;

use crate::server::{Server, until_async};

/// A broker with one queue.
#[async_trait]
pub(crate) trait Broker: Send + Sync {
    fn kind(&self) -> &'static str;

    fn config(&self) -> Value;

    /// The address that responses show.
    fn address(&self) -> String;

    /// Publishes `{"n": number}` for each number.
    async fn publish(&self, numbers: Range<u64>);

    async fn publish_raw(&self, body: &str);

    fn stop(&self);

    fn restart(&self);
}

/// Waits until the state of the consumer matches.
#[track_caller]
pub(crate) fn until_state(
    server: &Server,
    is_so: impl Fn(&Value) -> bool,
) -> impl Future<Output = Value> {
    until_async(|| server.get("/consumer/orders/state"), is_so)
}

/// The payloads of all messages, once there are this many.
pub(crate) async fn payloads(server: &Server, count: u64) -> Vec<Value> {
    let count = usize::try_from(count).unwrap();
    let mut found = Vec::new();
    let mut after = String::new();
    while found.len() < count {
        let path = format!("/app/acme/msg?limit=250{after}");
        let page = server.get(&path).await;
        let data = page["data"].as_array().unwrap();
        found.extend(data.iter().map(|it| it["payload"].clone()));
        if page["done"] == true && found.len() < count {
            found.clear();
            after.clear();
            let is_more = |page: &Value| page["data"].as_array().is_some_and(|it| !it.is_empty());
            until_async(|| server.get("/app/acme/msg?limit=1"), is_more).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        } else {
            after = format!("&iterator={}", page["iterator"].as_str().unwrap());
        }
    }
    found
}
