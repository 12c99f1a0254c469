//! Creates the applications, endpoints and sources that exist during the whole run.

use anyhow::Context;
use http::Method;
use serde_json::{Value, json};

use super::{
    api::Call,
    model::{APPLICATIONS, Endpoint, PROVIDERS, Role, Topic, endpoints},
    publish::SECRET,
    run::Run,
};

/// How long sources recognize repeated webhooks, in seconds.
pub(crate) const DEDUPE_WINDOW: u64 = 600;

/// The rate of the endpoints with a strict one: above the mean of what they get, and below a burst.
pub(crate) fn strict_rate(rate: f64) -> u32 {
    (rate * 0.1 / APPLICATIONS as f64 * 2.0).ceil().max(2.0) as u32
}

/// Creates everything; returns the paths of the sources.
pub(crate) async fn create(run: &Run, dead: &str) -> anyhow::Result<Vec<String>> {
    for topic in Topic::ALL {
        let body = json!({ "name": topic.event_type(), "description": "Sent by the soak." });
        post(run, "/api/v1/event-type", &body).await?;
    }
    for owner in 0..APPLICATIONS {
        let uid = format!("soak-{owner}");
        post(run, "/api/v1/app", &json!({ "name": uid, "uid": uid })).await?;
    }
    let mut paths = Vec::new();
    for provider in PROVIDERS {
        let body = json!({
            "name": provider, "uid": provider, "type": provider,
            "config": { "secret": SECRET }, "dedupeWindowSeconds": DEDUPE_WINDOW,
        });
        let source = post(run, "/ingest/api/v1/source", &body).await?;
        let url = source["ingestUrl"].as_str().context("a source without a URL")?;
        let (_, token) = url.rsplit_once('/').context("a URL without a token")?;
        paths.push(format!("/in/{token}"));
    }
    for (index, endpoint) in endpoints().into_iter().enumerate() {
        let url = if endpoint.role == Role::Dead {
            dead.to_owned()
        } else {
            format!("http://{}/e/{index}", run.receivers)
        };
        add_endpoint(run, endpoint, &url).await?;
    }
    Ok(paths)
}

/// Creates an endpoint of the run.
pub(crate) async fn add_endpoint(run: &Run, endpoint: Endpoint, url: &str) -> anyhow::Result<()> {
    let Endpoint { owner, role } = endpoint;
    if role == Role::Webhook {
        let path = format!("/ingest/api/v1/source/{}/endpoint", PROVIDERS[owner]);
        post(run, &path, &json!({ "url": url })).await?;
        return Ok(());
    }
    let mut body = json!({
        "uid": role.uid(), "url": url, "filterTypes": [role.topic().event_type()],
    });
    for (name, value) in policy(role, run.rate) {
        body[name] = value;
    }
    let path = format!("/api/v1/app/soak-{owner}/endpoint");
    post(run, &path, &body).await?;
    if role == Role::Transformed {
        let code =
            "function handler(webhook) { webhook.payload.transformed = true; return webhook }";
        let path = format!("{path}/{}/transformation", role.uid());
        let call = Call::with_body(Method::PATCH, path, &json!({ "code": code, "enabled": true }));
        run.api.succeed(&call).await?;
    }
    Ok(())
}

fn policy(role: Role, rate: f64) -> Vec<(&'static str, Value)> {
    match role {
        Role::Filtered => vec![("filter", json!("payload.even == true"))],
        Role::Nothing => vec![("filter", json!("payload.number < 0"))],
        Role::Ordered => vec![("ordering", json!("fifo")), ("skipAfter", json!(0))],
        Role::Batched => vec![
            ("ordering", json!("fifo")),
            ("skipAfter", json!(0)),
            ("batch", json!({ "size": 20, "maxWaitSeconds": 1 })),
        ],
        Role::Recovered => vec![("ordering", json!("fifo")), ("skipAfter", json!(1))],
        Role::Limited => {
            vec![("strictRate", json!(true)), ("throttleRate", json!(strict_rate(rate)))]
        },
        Role::Fast
        | Role::Slow
        | Role::Flaky
        | Role::Outage
        | Role::Transformed
        | Role::Paused
        | Role::Dead
        | Role::Webhook => Vec::new(),
    }
}

async fn post(run: &Run, path: &str, body: &Value) -> anyhow::Result<Value> {
    run.api.succeed(&Call::with_body(Method::POST, path, body)).await
}
