//! A customer that sends as many requests as the connection allows.

use std::time::Instant;

use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    attack_time,
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::Server,
};

/// `quotas.requests_per_second`, and as many at once.
const RATE: usize = 100;

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the rate counts for the time of the attack")]
async fn a_customer_gets_no_more_requests_than_the_quota() {
    let server = Server::start();
    let neighbour = Neighbour::of(&server).await;
    server.application("attacker").await;
    let access = server.post("/auth/app-portal-access/attacker", json!({})).await;
    let token = access["token"].as_str().unwrap().to_owned();
    let growth = Growth::of(&server);
    let begin = Instant::now();
    let statuses = neighbour.endures(hammer(&server.url, &token)).await;
    let answered = statuses.iter().filter(|it| **it == 200).count();
    let refused = statuses.iter().filter(|it| **it == 429).count();
    assert_eq!(answered + refused, statuses.len(), "{statuses:?}");
    let seconds = usize::try_from(begin.elapsed().as_secs()).unwrap() + 2;
    assert!((1..=RATE * seconds).contains(&answered), "{answered} of {}", statuses.len());
    growth.is_below(64 * MIB);
}

/// Makes requests over a few connections, as fast as they allow.
async fn hammer(url: &str, token: &str) -> Vec<u16> {
    let mut all = JoinSet::new();
    for _ in 0..8 {
        all.spawn(hammer_once(format!("{url}/api/v1/app/attacker/endpoint"), token.to_owned()));
    }
    all.join_all().await.concat()
}

#[expect(clippy::disallowed_methods, reason = "the attack lasts for a time")]
async fn hammer_once(url: String, token: String) -> Vec<u16> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let (begin, mut statuses) = (Instant::now(), Vec::new());
    while begin.elapsed() < attack_time() {
        let request = Request::get(&url).header("authorization", format!("Bearer {token}"));
        let request = request.body(Full::default()).unwrap();
        statuses.push(client.request(request).await.unwrap().status().as_u16());
    }
    statuses
}
