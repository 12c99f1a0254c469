//! Publishers, which repeat each message until it is accepted, and providers that send webhooks.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use http::{Method, StatusCode};
use postrider::provider::{self, Settings, UnsignedRequest};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    api::{Call, Returned},
    model::{APPLICATIONS, Message, PROVIDERS, Topic},
    run::Run,
};
use crate::bench::clock;

/// Messages that wait for a worker; then the publisher waits, too.
const QUEUE: usize = 50;

/// Workers of an application that need not keep an order.
const WORKERS: usize = 4;

/// One in so many messages has an idempotency key instead of an event id.
const KEYED: u64 = 20;

/// The secret of the sources.
pub(crate) const SECRET: &str = "whsec_published_with_the_soak";

/// Publishes to an application until the load ends, and until all of it is accepted.
pub(crate) async fn publish(run: Arc<Run>, owner: usize) {
    let mut workers = JoinSet::new();
    let mut queues = Vec::new();
    for _ in 0..=WORKERS {
        let (queue, messages) = mpsc::channel(QUEUE);
        queues.push(queue);
        workers.spawn(work(Arc::clone(&run), messages));
    }
    let mut ticks = interval(Duration::from_secs_f64(APPLICATIONS as f64 / run.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sequence = 0;
    while run.is_loaded() {
        ticks.tick().await;
        let (topic, count) = Topic::chosen(run.draw() % 100);
        for _ in 0..count {
            let mut message = new_message(&run, owner, topic);
            let queue = if topic == Topic::Ordered {
                sequence += 1;
                message.sequence = sequence;
                0
            } else {
                1 + usize::try_from(message.number).unwrap_or(0) % WORKERS
            };
            // A worker ends only with its queue.
            let _queued = queues[queue].send(message).await;
        }
    }
    drop(queues);
    workers.join_all().await;
}

fn new_message(run: &Run, owner: usize, topic: Topic) -> Message {
    let number = run.next_number();
    Message {
        number,
        owner,
        topic,
        even: number.is_multiple_of(2),
        sequence: 0,
        sent_at: clock::unix_nanos(),
        transformed: false,
    }
}

async fn work(run: Arc<Run>, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        let what = format!("publish message {}", message.number);
        run.check(&what, publish_one(&run, message)).await;
    }
}

async fn publish_one(run: &Run, message: Message) -> anyhow::Result<()> {
    let path = format!("/api/v1/app/soak-{}/msg", message.owner);
    let mut body = json!({ "eventType": message.topic.event_type(), "payload": message });
    let key = format!("soak-{}", message.number);
    let is_keyed = message.number.is_multiple_of(KEYED);
    if !is_keyed {
        body["eventId"] = json!(key);
    }
    let call = Call::with_body(Method::POST, path, &body);
    let call = if is_keyed { call.header("idempotency-key", &key) } else { call };
    let Returned { status, body, attempts } = run.api.insist(&call).await?;
    // The response to the first request may have been lost.
    let is_repeated = attempts > 1 && !is_keyed && status == StatusCode::CONFLICT;
    ensure!(status == StatusCode::ACCEPTED || is_repeated, "{status} {body}");
    run.activity().repeated_requests += u64::from(attempts - 1);
    let id = body["id"].as_str().filter(|it| !is_repeated && it.starts_with("msg_"));
    run.record().accept(&message, id, run.now());
    Ok(())
}

/// Sends webhooks of a provider until the load ends, of which a few are forged.
pub(crate) async fn send_webhooks(run: Arc<Run>, owner: usize, path: String) {
    let mut ticks = interval(Duration::from_secs_f64(10.0 / run.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while run.is_loaded() {
        ticks.tick().await;
        run.check("webhook", send_webhook(&run, owner, &path)).await;
        if run.draw().is_multiple_of(10) {
            run.check("forged webhook", send_forged(&run, owner, &path)).await;
        }
    }
}

async fn send_webhook(run: &Run, owner: usize, path: &str) -> anyhow::Result<()> {
    let message = new_message(run, owner, Topic::Webhook);
    let call = signed(&message, path, SECRET)?;
    let Returned { status, body, attempts } = run.api.insist(&call).await?;
    ensure!(status.is_success(), "{status} {body}");
    let mut activity = run.activity();
    activity.webhooks += 1;
    activity.repeated_requests += u64::from(attempts - 1);
    drop(activity);
    run.record().accept(&message, None, run.now());
    Ok(())
}

async fn send_forged(run: &Run, owner: usize, path: &str) -> anyhow::Result<()> {
    let message = new_message(run, owner, Topic::Webhook);
    let call = signed(&message, path, "whsec_of_someone_else")?;
    let Returned { status, body, .. } = run.api.insist(&call).await?;
    ensure!(status.is_client_error(), "{status} {body}");
    run.activity().forged_webhooks_rejected += 1;
    Ok(())
}

/// A request as the provider signs it.
fn signed(message: &Message, path: &str, secret: &str) -> anyhow::Result<Call> {
    let provider = provider::find(PROVIDERS[message.owner]).context("an unknown provider")?;
    let event_id = format!("evt_{}", message.number);
    let mut body: Value = serde_json::to_value(message)?;
    body["id"] = json!(event_id);
    body["type"] = json!(Topic::Webhook.event_type());
    let draft = UnsignedRequest {
        url: format!("http://localhost{path}"),
        event_type: Some("push".to_owned()),
        event_id: Some(event_id),
        body: body.to_string().into_bytes(),
        ..UnsignedRequest::default()
    };
    let now = clock::unix_nanos() / 1_000_000_000;
    let signed = provider::sign(provider, &Settings::new([secret]), draft, now)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(Call {
        method: Method::POST,
        path: path.to_owned(),
        headers: signed.headers,
        body: String::from_utf8(signed.body)?,
    })
}
