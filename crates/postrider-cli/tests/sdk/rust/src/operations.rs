//! The operations of the official Rust client that the other scenarios do not call.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, from_value, json};
use svix::{
    Svix,
    api::{MessagePollerConsumerPollOptions, MessagePollerPollOptions},
    models::{
        AppPortalAccessIn, ApplicationIn, ApplicationTokenExpireIn, BackgroundTaskStatus,
        BackgroundTaskType, BulkExpungeContentsIn, ConnectorIn, ConnectorUpsertIn,
        CreateAutoConfigSubscriptionIn, DestinationTransformIn, EndpointIn, EndpointSecretRotateIn,
        EndpointTransformationIn, EventExampleIn, EventTypeImportOpenApiIn, EventTypeIn,
        IngestEndpointIn, IngestSourceIn, IngestSourceInConfig, IntegrationIn, IntegrationUpdate,
        MessageIn, MessageOut, MessagePrecheckIn, MessageStatus,
        OperationalWebhookEndpointHeadersIn, OperationalWebhookEndpointIn,
        OperationalWebhookEndpointSecretIn, OperationalWebhookEndpointUpsertIn, PollingEndpointOut,
        RotateSubscriptionIn2,
    },
};

use super::{
    app, connect, eventually,
    receiver::{Receiver, send_webhook},
    refused,
};

const EVENT: &str = "operations.done";
const CODE: &str = "function handler(webhook) {
  return { ...webhook, payload: { n: webhook.payload.n + 1, word: webhook.env.WORD } };
}";
const CANCEL: &str = "function handler(webhook) { webhook.cancel = true; return webhook; }";
const BATCH: &str = "function handler(input) {
  return { requestBody: JSON.stringify({ numbers: input.events.map((it) => it.payload.n) }) };
}";

fn only(word: &str) -> Option<BTreeSet<String>> {
    Some([word.to_owned()].into())
}

fn text(word: &str) -> String {
    word.to_owned()
}

async fn send(svix: &Svix, channel: &str, payload: Value) -> MessageOut {
    let message = MessageIn { channels: only(channel), ..MessageIn::new(text(EVENT), payload) };
    svix.message().create(app(), message, None).await.unwrap()
}

async fn arrived(receiver: &mut Receiver, name: &str) -> Value {
    serde_json::from_slice(&receiver.next(name).await.body).unwrap()
}

pub(crate) async fn call_all(svix: &Svix, url: &str, receiver: &mut Receiver) {
    let event_type = EventTypeIn::new(text(EVENT), text("An operation"));
    svix.event_type().create(event_type, None).await.unwrap();
    transformation(svix, receiver).await;
    connectors(svix).await;
    event_types(svix).await;
    scheduling(svix).await;
    destinations(svix, receiver).await;
    poller(svix).await;
    operational_webhooks(svix, receiver).await;
    integrations(svix).await;
    subscriptions(svix).await;
    tasks(svix).await;
    rest(svix, url, receiver).await;
    ingest_transformation(svix, receiver).await;
}

async fn transformation(svix: &Svix, receiver: &mut Receiver) {
    let shaped = || text("shaped");
    let endpoint = EndpointIn {
        uid: Some(shaped()),
        channels: only("shaped"),
        ..EndpointIn::new(receiver.url("shaped"))
    };
    svix.endpoint().create(app(), endpoint, None).await.unwrap();
    let endpoint = svix.endpoint();
    let transformation = endpoint.transformation();
    let stored = transformation.get(app(), shaped()).await.unwrap();
    assert_eq!((stored.code, stored.enabled), (None, Some(false)));
    let patch = |body: Value| transformation.patch(app(), shaped(), from_value(body).unwrap());
    refused(422, patch(json!({ "code": "function handler(", "enabled": true })).await);
    let body = json!({ "code": CODE, "enabled": true, "variables": { "WORD": "hello" } });
    patch(body).await.unwrap();
    let stored = transformation.get(app(), shaped()).await.unwrap();
    assert_eq!((stored.code.as_deref(), stored.enabled), (Some(CODE), Some(true)));
    assert_eq!(stored.variables.unwrap()["WORD"], "***");
    send(svix, "shaped", json!({ "n": 1 })).await;
    assert_eq!(arrived(receiver, "shaped").await, json!({ "n": 2, "word": "hello" }));

    patch(json!({ "code": CANCEL })).await.unwrap();
    let cancelled = send(svix, "shaped", json!({ "n": 10 })).await;
    let attempts = svix.message_attempt();
    let attempt = eventually(async || {
        let page = attempts.list_by_msg(app(), cancelled.id.clone(), None).await;
        page.unwrap().data.pop()
    })
    .await;
    assert_eq!(attempt.status, MessageStatus::Success, "a cancelled delivery is a success");
    let off = EndpointTransformationIn { code: None, enabled: Some(false) };
    #[expect(deprecated, reason = "clients still call it")]
    endpoint.transformation_partial_update(app(), shaped(), off).await.unwrap();
    assert_eq!(transformation.get(app(), shaped()).await.unwrap().enabled, Some(false));
    send(svix, "shaped", json!({ "n": 20 })).await;
    // The cancelled one was not sent, and this one is not changed.
    assert_eq!(arrived(receiver, "shaped").await, json!({ "n": 20 }));
}

async fn connectors(svix: &Svix) {
    let (connector, uid) = (svix.connector(), || text("rust-connector"));
    let body = ConnectorIn { uid: Some(uid()), ..ConnectorIn::new(text("Chat"), text(CODE)) };
    let made = connector.create(body, None).await.unwrap();
    assert!(made.id.starts_with("trtmpl_"));
    assert_eq!(connector.get(uid()).await.unwrap(), made);
    let listed = connector.list(None).await.unwrap().data;
    assert!(listed.iter().any(|it| it.id == made.id));
    let body =
        ConnectorUpsertIn { name: Some(text("Chat 2")), ..ConnectorUpsertIn::new(text(CODE)) };
    let replaced = connector.upsert(uid(), body).await.unwrap();
    assert_eq!((replaced.id, &*replaced.name), (made.id, "Chat 2"));
    let body = from_value(json!({ "allowedEventTypes": [EVENT] })).unwrap();
    let patched = connector.patch(uid(), body).await.unwrap();
    assert_eq!((&*patched.name, patched.allowed_event_types), ("Chat 2", only(EVENT)));
    let wrong = from_value(json!({ "transformation": "function handler(" })).unwrap();
    refused(422, connector.patch(uid(), wrong).await);
    connector.delete(uid()).await.unwrap();
    refused(404, connector.get(uid()).await);
}

async fn event_types(svix: &Svix) {
    let name = || text("rust.imported");
    let spec = json!({ "openapi": "3.1.0", "webhooks": { name(): { "post": {} } } });
    let body = |dry_run| EventTypeImportOpenApiIn {
        spec: Some(spec.clone()),
        dry_run: Some(dry_run),
        ..EventTypeImportOpenApiIn::new()
    };
    let tried = svix.event_type().import_openapi(body(true), None).await.unwrap();
    assert_eq!(tried.data.to_modify.unwrap()[0].name, name());
    refused(404, svix.event_type().get(name()).await);
    let imported = svix.event_type().import_openapi(body(false), None).await.unwrap();
    assert_eq!(imported.data.modified, [name()]);
    assert_eq!(svix.event_type().get(name()).await.unwrap().name, name());
    let exported = svix.environment().export(None).await.unwrap();
    assert!(exported.event_types.iter().any(|it| it.name == name()));
    svix.event_type().delete(name(), None).await.unwrap();
    let again = json!({ "eventTypes": [{ "name": name(), "description": "Again" }] });
    svix.environment().import(from_value(again).unwrap(), None).await.unwrap();
    assert_eq!(svix.event_type().get(name()).await.unwrap().description, "Again");
    svix.event_type().delete(name(), None).await.unwrap();
}

async fn scheduling(svix: &Svix) {
    let sent = svix.message().list(app(), None).await.unwrap().data;
    let deliver_at = Some(sent[0].timestamp + Duration::from_secs(86_400));
    let message = MessageIn {
        channels: only("shaped"),
        deliver_at,
        ..MessageIn::new(text(EVENT), json!({ "n": 30 }))
    };
    let message = svix.message().create(app(), message, None).await.unwrap();
    let got = svix.message().get(app(), message.id.clone(), None).await.unwrap();
    assert_eq!(got.deliver_at, deliver_at);
    let attempts = svix.message_attempt().list_by_msg(app(), message.id, None).await.unwrap();
    assert_eq!(attempts.data.len(), 0, "it is not sent before");
    let empty = || text("rust-empty");
    let application = ApplicationIn { uid: Some(empty()), ..ApplicationIn::new(empty()) };
    svix.application().create(application, None).await.unwrap();
    for (app, expected) in [(app(), true), (empty(), false)] {
        let body =
            MessagePrecheckIn { channels: only("shaped"), ..MessagePrecheckIn::new(text(EVENT)) };
        let found = svix.message().precheck(app, body, None).await.unwrap();
        assert_eq!(found.active, expected);
    }
    svix.application().delete(empty()).await.unwrap();
}

async fn destinations(svix: &Svix, receiver: &mut Receiver) {
    let (destination, fifo) = (svix.destination(), || text("fifo"));
    let body = |event_types: Value| {
        let config = json!({ "url": receiver.url("fifo") });
        from_value(json!({ "type": "fifoEndpoint", "config": config, "uid": "fifo",
            "channels": ["fifo"], "eventTypes": event_types }))
        .unwrap()
    };
    let made = destination.create(app(), body(Value::Null), None).await.unwrap();
    assert_eq!(made.uid, Some(fifo()));
    assert_eq!(destination.get(app(), fifo()).await.unwrap().id, made.id);
    let listed = destination.list(app(), None).await.unwrap().data;
    assert_eq!(listed.iter().map(|it| &it.id).collect::<Vec<_>>(), [&made.id]);
    let replaced = destination.upsert(app(), fifo(), body(json!([EVENT]))).await.unwrap();
    assert_eq!((&replaced.id, replaced.event_types), (&made.id, Some(vec![text(EVENT)])));
    let patch = json!({ "type": "fifoEndpoint", "config": { "url": receiver.url("fifo") },
        "metadata": { "a": "b" } });
    let patched = destination.patch(app(), fifo(), from_value(patch).unwrap()).await.unwrap();
    assert_eq!(patched.id, made.id);
    let transformation = destination.transformation();
    assert!(!transformation.get(app(), fifo()).await.unwrap().enabled);
    let code = DestinationTransformIn { code: Some(text(BATCH)) };
    transformation.patch(app(), fifo(), code).await.unwrap();
    let stored = transformation.get(app(), fifo()).await.unwrap();
    assert_eq!((stored.code.as_deref(), stored.enabled), (Some(BATCH), true));
    send(svix, "fifo", json!({ "n": 5 })).await;
    assert_eq!(arrived(receiver, "fifo").await, json!({ "numbers": [5] }));
    let rotate = EndpointSecretRotateIn::new();
    let first = destination.rotate_secret(app(), fifo(), rotate.clone(), None).await.unwrap();
    let second = destination.rotate_secret(app(), fifo(), rotate, None).await.unwrap();
    assert_ne!(first.key, second.key);
    destination.delete(app(), fifo()).await.unwrap();
    refused(404, destination.get(app(), fifo()).await);
}

async fn poller(svix: &Svix) {
    let body = json!({ "type": "pollingEndpoint", "channels": ["polled"] });
    let body = from_value(body).unwrap();
    let id = svix.destination().create(app(), body, None).await.unwrap().id;
    let poller = svix.message().poller();
    let start = poller.poll(app(), id.clone(), None).await.unwrap();
    assert_eq!((start.data.len(), start.done), (0, false));
    for n in [1, 2] {
        send(svix, "polled", json!({ "n": n })).await;
    }
    let numbers = |page: &PollingEndpointOut| {
        page.data.iter().map(|it| it.payload["n"].clone()).collect::<Vec<_>>()
    };
    let page = eventually(async || {
        let options = MessagePollerPollOptions {
            iterator: Some(start.iterator.clone()),
            ..MessagePollerPollOptions::default()
        };
        let page = poller.poll(app(), id.clone(), Some(options)).await.unwrap();
        (page.data.len() == 2).then_some(page)
    })
    .await;
    assert_eq!(numbers(&page), [1, 2]);

    let (mut received, mut iterator) = (Vec::new(), None);
    eventually(async || {
        let options = MessagePollerConsumerPollOptions { iterator: iterator.take(), limit: None };
        let page = poller.consumer_poll(app(), id.clone(), text("worker"), Some(options)).await;
        let page = page.unwrap();
        received.extend(numbers(&page));
        iterator = Some(page.iterator);
        (received.len() >= 2).then_some(())
    })
    .await;
    assert_eq!(received, [1, 2]);
    let after = from_value(json!({ "after": "2020-01-01T00:00:00Z" })).unwrap();
    let moved = poller.consumer_seek(app(), id.clone(), text("worker"), after, None).await;
    let options =
        MessagePollerConsumerPollOptions { iterator: Some(moved.unwrap().iterator), limit: None };
    let again = poller.consumer_poll(app(), id.clone(), text("worker"), Some(options)).await;
    assert_eq!(numbers(&again.unwrap()), [1, 2]);
    svix.destination().delete(app(), id).await.unwrap();
}

async fn operational_webhooks(svix: &Svix, receiver: &Receiver) {
    let webhook = svix.operational_webhook();
    let (endpoint, uid) = (webhook.endpoint(), || text("rust-ops"));
    let url = receiver.url("ops");
    let event_types = || only("endpoint.created");
    let body = OperationalWebhookEndpointIn {
        uid: Some(uid()),
        event_types: event_types(),
        ..OperationalWebhookEndpointIn::new(url.clone())
    };
    let made = endpoint.create(body, None).await.unwrap();
    assert_eq!((&made.uid, &made.event_types), (&Some(uid()), &event_types()));
    assert_eq!(endpoint.get(uid()).await.unwrap(), made);
    assert!(endpoint.list(None).await.unwrap().data.iter().any(|it| it.id == made.id));
    let body = OperationalWebhookEndpointUpsertIn {
        uid: Some(uid()),
        description: Some(text("2")),
        ..OperationalWebhookEndpointUpsertIn::new(url)
    };
    let replaced = endpoint.upsert(uid(), body).await.unwrap();
    assert_eq!((replaced.id, &*replaced.description), (made.id, "2"));
    let old = endpoint.get_secret(uid()).await.unwrap().key;
    let rotate = OperationalWebhookEndpointSecretIn::new();
    endpoint.rotate_secret(uid(), rotate, None).await.unwrap();
    assert_ne!(endpoint.get_secret(uid()).await.unwrap().key, old);
    let headers = [(text("x-a"), text("1"))].into();
    let body = OperationalWebhookEndpointHeadersIn::new(headers);
    endpoint.set_headers(uid(), body.clone()).await.unwrap();
    assert_eq!(endpoint.get_headers(uid()).await.unwrap().headers, body.headers);
    endpoint.delete(uid()).await.unwrap();
    refused(404, endpoint.get(uid()).await);
}

async fn integrations(svix: &Svix) {
    let integration = svix.integration();
    let made = integration.create(app(), IntegrationIn::new(text("one")), None).await.unwrap();
    let id = || made.id.clone();
    assert_eq!(integration.get(app(), id()).await.unwrap(), made);
    assert_eq!(integration.list(app(), None).await.unwrap().data, [made.clone()]);
    let update = IntegrationUpdate::new(text("two"));
    assert_eq!(integration.update(app(), id(), update).await.unwrap().name, "two");
    let first = integration.rotate_key(app(), id(), None).await.unwrap();
    let second = integration.rotate_key(app(), id(), None).await.unwrap();
    assert_ne!(first.key, second.key);
    integration.delete(app(), id()).await.unwrap();
    refused(404, integration.get(app(), id()).await);
}

async fn subscriptions(svix: &Svix) {
    let subscription = svix.autoconfig_subscription();
    let body = CreateAutoConfigSubscriptionIn::new();
    let made = subscription.create(app(), body, None).await.unwrap();
    let body = RotateSubscriptionIn2::new();
    let rotated = subscription.rotate(app(), made.id.clone(), body, None).await.unwrap();
    assert_eq!(rotated.id, made.id);
    assert_ne!(rotated.token, made.token);
    subscription.delete(app(), made.id).await.unwrap();
}

async fn tasks(svix: &Svix) {
    let (shaped, since) = (|| text("shaped"), || json!({ "since": "2020-01-01T00:00:00Z" }));
    let period = json!({ "since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z" });
    let endpoint = svix.endpoint();
    let replay = endpoint.replay_missing(app(), shaped(), from_value(since()).unwrap(), None);
    let bulk = endpoint.bulk_replay(app(), shaped(), from_value(since()).unwrap(), None);
    let statistics = svix.statistics();
    let stats = statistics.aggregate_app_stats(from_value(period).unwrap(), None);
    let started = [
        (BackgroundTaskType::EndpointReplay, replay.await.unwrap().id),
        (BackgroundTaskType::EndpointBulkReplay, bulk.await.unwrap().id),
        (BackgroundTaskType::ApplicationStats, stats.await.unwrap().id),
        (
            BackgroundTaskType::EventTypeAggregate,
            statistics.aggregate_event_types().await.unwrap().id,
        ),
    ];
    for (task, id) in &started {
        let done = eventually(async || {
            let found = svix.background_task().get(id.clone()).await.unwrap();
            (found.status != BackgroundTaskStatus::Running).then_some(found)
        })
        .await;
        assert_eq!((&done.task, done.status), (task, BackgroundTaskStatus::Finished));
    }
    let listed = svix.background_task().list(None).await.unwrap().data;
    assert!(started.iter().all(|(_, id)| listed.iter().any(|it| it.id == *id)));
}

async fn rest(svix: &Svix, url: &str, receiver: &mut Receiver) {
    svix.health().get().await.unwrap();
    let whoami = svix.authentication().whoami().await.unwrap();
    assert!(whoami.env_id.is_some() && whoami.app_id.is_none());
    let access = AppPortalAccessIn::new();
    let access = svix.authentication().app_portal_access(app(), access, None).await.unwrap();
    let body = ApplicationTokenExpireIn { expiry: Some(0), session_ids: None };
    svix.authentication().expire_all(app(), body, None).await.unwrap();
    refused(401, connect(url, &access.token).endpoint().list(app(), None).await);

    let example =
        EventExampleIn { payload: Some(json!({ "n": 9 })), ..EventExampleIn::new(text(EVENT)) };
    let sent = svix.endpoint().send_example(app(), text("shaped"), example, None).await.unwrap();
    let arrival = loop {
        let arrival = receiver.next("shaped").await;
        if arrival.header("webhook-id") == sent.id {
            break arrival;
        }
    };
    assert_eq!(&*arrival.body, br#"{"n":9}"#);
    let stats = svix.endpoint().get_attempt_stats(app(), text("shaped"), None).await.unwrap();
    assert_eq!(stats.fail, 0);

    let message = send(svix, "none", json!({ "secret": 1 })).await;
    let body = BulkExpungeContentsIn { ids: only(&message.id) };
    let expunged = svix.message().bulk_expunge_content(app(), body, None).await.unwrap();
    assert!(expunged.results.contains_key(&message.id));
    let all = svix.message().expunge_all_contents(app(), None).await.unwrap();
    assert!(all.id.starts_with("qtask_"));
}

async fn ingest_transformation(svix: &Svix, receiver: &mut Receiver) {
    let ingest = svix.ingest();
    let config = IngestSourceInConfig::GenericWebhook;
    let source = IngestSourceIn { name: text("Shaped"), uid: None, metadata: None, config };
    let made = ingest.source().create(source, None).await.unwrap();
    let (id, shaped) = (|| made.id.clone(), || text("shaped"));
    let endpoint = IngestEndpointIn {
        uid: Some(shaped()),
        ..IngestEndpointIn::new(receiver.url("ingest-shaped"))
    };
    ingest.endpoint().create(id(), endpoint, None).await.unwrap();
    let endpoint = ingest.endpoint();
    let transformation = endpoint.transformation();
    let body = json!({ "code": CODE, "enabled": true, "variables": { "WORD": "in" } });
    transformation.patch(id(), shaped(), from_value(body).unwrap()).await.unwrap();
    let stored = transformation.get(id(), shaped()).await.unwrap();
    assert_eq!(stored.variables.unwrap()["WORD"], "***");
    let status = send_webhook(&made.ingest_url.unwrap(), r#"{"n":6}"#).await;
    assert!(status.starts_with("HTTP/1.1 20"), "{status}");
    assert_eq!(arrived(receiver, "ingest-shaped").await, json!({ "n": 7, "word": "in" }));
    ingest.source().delete(id()).await.unwrap();
}
