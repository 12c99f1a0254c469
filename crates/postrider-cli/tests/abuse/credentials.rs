//! Strangers who try tokens.

use std::time::Instant;

use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::{
    attack_time,
    memory::{Growth, MIB},
    neighbour::Neighbour,
    server::Server,
};

#[tokio::test]
async fn guessing_tokens_yields_nothing_and_delays_no_customer() {
    let server = Server::start();
    let neighbour = Neighbour::of(&server).await;
    let growth = Growth::of(&server);
    let answers = neighbour.endures(try_tokens(&server.url)).await;
    assert!(answers.len() > 10, "only {} attempts", answers.len());
    assert!(answers.iter().all(|status| *status == StatusCode::UNAUTHORIZED), "{answers:?}");
    growth.is_below(64 * MIB);
}

/// Publishes with a new invalid token each time, as fast as one connection allows.
#[expect(clippy::disallowed_methods, reason = "the attack lasts for a time")]
async fn try_tokens(url: &str) -> Vec<StatusCode> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let (begin, mut answers) = (Instant::now(), Vec::new());
    while begin.elapsed() < attack_time() {
        let request = Request::post(format!("{url}/api/v1/app/neighbour/msg"))
            .header("authorization", format!("Bearer {}.e30.e30", answers.len()))
            .body(Full::from("{}"))
            .unwrap();
        answers.push(client.request(request).await.unwrap().status());
    }
    answers
}
