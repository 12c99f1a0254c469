//! Fills a store with messages and attempts of several applications, and measures the pages of
//! searches across them.
//!
//! ```text
//! cargo run --release -p postrider-store --example search -- <folder or postgres URL> <messages>
//! ```
//!
//! A store that has messages already is measured as it is.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails should say so at once"
)]

use std::{path::Path, sync::Arc, time::Duration};

use postrider::{
    ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId, api::EndpointKind,
};
use postrider_core::{
    catalog::{Application, AtRest, Endpoint, Ordering, SealedSecret},
    delivery::{Attempt, Delivery, DeliveryId, Response, Settlement, Trigger},
    message::{Format, Message},
    outcome::{Cause, Failure, Outcome},
    payload_match::PayloadMatch,
    retry::{Reason, Verdict},
    time::Timestamp,
};
use postrider_store::{
    AttemptFilter, AttemptSearch, DeliveryOrder, EmbeddedStore, EndpointKey, Expected, Hold,
    MessageFilter, MessageSearch, NewMessage, Options, PostgresOptions, PostgresStore, Reach,
    Records, Scan, SettleBatch, StatusKind, Store, Target,
};
use tokio::time::Instant;

const APPLICATIONS: u64 = 1_000;
const BATCH: u64 = 2_000;

/// A thousand messages per second.
const START: u64 = 1_700_000_000_000;

fn organization() -> OrganizationId {
    "org_test".parse().unwrap()
}

const fn application_id(number: u64) -> ApplicationId {
    ApplicationId::from_parts((START - 1_000) << 12 | number, number)
}

const fn endpoint_id(number: u64) -> EndpointId {
    EndpointId::from_parts((START - 1_000) << 12 | number, number)
}

fn message(number: u64) -> Message {
    let kind = if number.is_multiple_of(50_000) { "rare.type" } else { "common.type" };
    let text = format!(
        r#"{{"user":{{"id":{number},"name":"somebody"}},"text":"{}"}}"#,
        "lorem ipsum ".repeat(20)
    );
    Message {
        id: MessageId::from_parts((START + number) << 12, number),
        application: application_id(number % APPLICATIONS),
        event_type: kind.parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(text.into_bytes().into()),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::from_millis(START * 2),
        trace: None,
    }
}

fn settlement(number: u64, message: &Message) -> Settlement {
    let endpoint = endpoint_id(number % APPLICATIONS);
    let id = DeliveryId { endpoint, message: message.id };
    let delivery = Delivery::first(id, message.application);
    // One in a hundred fails.
    let outcome = match number % 200 {
        0 => Outcome::Answered { status: 500, retry_after: None },
        100 => Outcome::Unanswered(Failure::Timeout),
        _ => Outcome::ACCEPTED,
    };
    let verdict =
        if outcome.delivered() { Verdict::Delivered } else { Verdict::GiveUp(Reason::Exhausted) };
    let attempt = Attempt {
        id: AttemptId::from_parts((START + number) << 12 | 1, number),
        delivery: id,
        number: 1,
        trigger: Trigger::Scheduled,
        at: Timestamp::from_millis(START + number),
        duration: Duration::from_millis(12),
        url: "https://example.com/hook".to_owned(),
        address: Some(([192, 0, 2, 1], 443).into()),
        outcome,
        response: Some(Response {
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: "ok".into(),
        }),
    };
    Settlement { delivery, attempt, verdict, failing_since: None }
}

fn endpoint(number: u64) -> Endpoint {
    let at = Timestamp::from_millis(START);
    Endpoint {
        managed_by: None,
        id: endpoint_id(number),
        application: application_id(number),
        uid: None,
        kind: EndpointKind::Http,
        config: AtRest::default(),
        url: format!("https://{number}.example.com/hook"),
        description: String::new(),
        event_types: None,
        channels: None,
        headers: AtRest::Clear([].into()),
        metadata: [].into(),
        disabled: false,
        disablement: None,
        throttle_rate: None,
        strict_rate: false,
        transformation: None,
        filter: None,
        ordering: Ordering::Any,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: postrider_core::catalog::Authentication::default(),
        secret: SealedSecret(vec![1, 2, 3]),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: postrider_core::retry::AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        signing: None,
        retired_secrets: Vec::new(),
        created_at: at,
        updated_at: at,
    }
}

async fn fill(store: &dyn Store, count: u64) {
    let at = Timestamp::from_millis(START);
    for number in 0..APPLICATIONS {
        let application = Application {
            managed_by: None,
            id: application_id(number),
            organization: organization(),
            uid: None,
            name: format!("application {number}"),
            metadata: [].into(),
            throttle_rate: None,
            ended_tokens: Vec::new(),
            cutoffs: Vec::new(),
            integrations: Vec::new(),
            auto_configs: Vec::new(),
            settings: None,
            mode: postrider_core::catalog::ApplicationMode::Live,
            created_at: at,
            updated_at: at,
        };
        store.save(&application, Expected::New).await.unwrap();
        store.save(&endpoint(number), Expected::New).await.unwrap();
    }
    let until = Timestamp::from_millis(START * 2);
    for first in (0..count).step_by(usize::try_from(BATCH).unwrap()) {
        let messages: Vec<_> =
            (first..(first + BATCH).min(count)).map(|number| (number, message(number))).collect();
        let settlements = messages.iter().map(|(number, it)| settlement(*number, it)).collect();
        let new = messages.into_iter().map(|(number, message)| {
            let endpoint = endpoint_id(number % APPLICATIONS);
            let hold = Hold::Leased(until);
            NewMessage {
                message: Arc::new(message),
                targets: vec![Target { endpoint, hold, order: DeliveryOrder::Any }],
                idempotency: None,
            }
        });
        store.append(new.collect()).await.unwrap();
        let batch = SettleBatch { settlements, messages: Vec::new() };
        store.settle(Arc::new(batch)).await.unwrap();
    }
}

/// The searches, each with its name.
fn message_searches() -> Vec<(&'static str, Reach, MessageSearch)> {
    let whole = Reach::organization(organization());
    let one =
        |endpoint| Reach { application: Some((application_id(7), endpoint)), ..whole.clone() };
    let any = MessageSearch::default();
    let rare = MessageFilter {
        event_types: vec!["rare.type".parse().unwrap()],
        ..MessageFilter::default()
    };
    let unknown = MessageFilter { tag: Some("none".to_owned()), ..MessageFilter::default() };
    let status = |it| MessageSearch { status: Some(it), ..any.clone() };
    let payload = |contains, path, value| MessageSearch {
        payload: PayloadMatch::parse(contains, path, value).unwrap(),
        ..any.clone()
    };
    vec![
        ("messages", whole.clone(), any.clone()),
        ("messages of an application", one(None), any.clone()),
        ("messages of an endpoint", one(Some(endpoint_id(7))), any.clone()),
        ("messages of a rare type", whole.clone(), MessageSearch { message: rare, ..any.clone() }),
        (
            "messages with an unknown tag",
            whole.clone(),
            MessageSearch { message: unknown, ..any.clone() },
        ),
        ("messages delivered", whole.clone(), status(StatusKind::Delivered)),
        ("messages failed", whole.clone(), status(StatusKind::Failed)),
        ("messages failed, of an application", one(None), status(StatusKind::Failed)),
        ("messages pending", whole.clone(), status(StatusKind::Pending)),
        (
            "payloads that contain nothing like it",
            whole.clone(),
            payload(Some("no such text"), None, None),
        ),
        ("payloads with a value", whole, payload(None, Some("user.id"), Some("17"))),
    ]
}

fn attempt_searches() -> Vec<(&'static str, Reach, AttemptSearch)> {
    let whole = Reach::organization(organization());
    let one =
        |endpoint| Reach { application: Some((application_id(0), endpoint)), ..whole.clone() };
    let any = AttemptSearch::default();
    let failed = AttemptFilter { delivered: Some(false), ..AttemptFilter::default() };
    let failed = AttemptSearch { attempt: failed, ..AttemptSearch::default() };
    let status = |it| AttemptSearch { status: Some(it), ..any.clone() };
    vec![
        ("attempts", whole.clone(), any.clone()),
        ("attempts of an application", one(None), any.clone()),
        ("attempts of an endpoint", one(Some(endpoint_id(0))), any.clone()),
        ("attempts failed", whole.clone(), failed.clone()),
        ("attempts failed, of an application", one(None), failed),
        ("attempts with 500", whole.clone(), status(500)),
        ("attempts with 201, of which there are none", whole.clone(), status(201)),
        (
            "attempts that could not connect, of which there are none",
            whole.clone(),
            AttemptSearch { cause: Some(Cause::Failure(Failure::Connect)), ..any.clone() },
        ),
        (
            "attempts to HTTP endpoints",
            whole.clone(),
            AttemptSearch { kind: Some(EndpointKind::Http), ..any.clone() },
        ),
        ("attempts to Kafka", whole, AttemptSearch { kind: Some(EndpointKind::Kafka), ..any }),
    ]
}

/// The median and the worst of three calls.
async fn measure(name: &str, mut call: impl AsyncFnMut() -> (usize, bool)) {
    let mut times = Vec::new();
    let mut found = (0, false);
    for _ in 0..3 {
        let began_at = Instant::now();
        found = call().await;
        times.push(began_at.elapsed());
    }
    times.sort_unstable();
    let (median, worst) = (times[1].as_secs_f64() * 1e3, times[2].as_secs_f64() * 1e3);
    let more = if found.1 { "and more" } else { "complete" };
    println!("{name:<60} {median:>8.1} ms {worst:>8.1} ms  {:>3} found, {more}", found.0);
}

async fn measure_all(store: &dyn Store) {
    for limit in [50, 250] {
        println!("pages of {limit}: median and worst of three");
        for (name, reach, search) in message_searches() {
            measure(name, async || {
                let scan = Scan { after: None, ascending: false, limit };
                let (reach, search) = (reach.clone(), search.clone());
                let found = store.search_messages(reach, search, scan).await.unwrap();
                (found.items.len(), found.resume.is_some())
            })
            .await;
        }
        for (name, reach, search) in attempt_searches() {
            measure(name, async || {
                let scan = Scan { after: None, ascending: false, limit };
                let (reach, search) = (reach.clone(), search.clone());
                let found = store.search_attempts(reach, search, scan).await.unwrap();
                (found.items.len(), found.resume.is_some())
            })
            .await;
        }
    }
    measure("endpoints by the beginning of their URL", async || {
        let key = EndpointKey::UrlPrefix("https://99".to_owned());
        (store.endpoints_by_key(organization(), key, 50).await.unwrap().len(), false)
    })
    .await;
    measure("messages by an event id", async || {
        let event_id = "unknown".parse().unwrap();
        (store.messages_by_event_id(organization(), event_id, 50).await.unwrap().len(), false)
    })
    .await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().expect("a folder or a URL");
    let count = arguments.next().map_or(1_000_000, |it| it.parse().unwrap());
    let store: Arc<dyn Store> = if place.starts_with("postgres") {
        let options = PostgresOptions { url: place, ..PostgresOptions::default() };
        Arc::new(PostgresStore::open(options).await.unwrap())
    } else {
        Arc::new(EmbeddedStore::open(Path::new(&place), &Options::default()).unwrap())
    };
    if store.last_sequence().await.unwrap() == 0 {
        let began_at = Instant::now();
        fill(&*store, count).await;
        println!("filled with {count} messages in {:?}", began_at.elapsed());
    }
    measure_all(&*store).await;
}
