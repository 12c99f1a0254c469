//! Operations have the same results and the same refusals in process as over HTTP.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use postrider::{
    ConnectorId,
    api::{ApplicationIn, MessageIn, Permission, Role, connector::ConnectorKind},
};
use postrider_core::{access::permits, catalog::Connector, time::Timestamp};
use postrider_server::{
    Access, AnyOperation, ApiError, ApplicationGrant, Declaration, Grant, JsonText, Principal,
    Quotas, RawInput, Settings, Upserted, mint, mint_one_time,
    operations::{self, application, health, message},
};
use postrider_store::{Expected, IdOrUid, Records as _, Store};
use serde_json::{Value, json};

use crate::{
    autoconfig,
    consumers::fake::{FakeQueue, put_dead_letter, queue_config},
    world::{ORGANIZATION, World, application_id, plain, secret, settings},
};

/// The caller of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Organization,
    /// A token of the application that the operation is about.
    Application,
    /// A token of another application.
    OtherApplication,
    /// No token.
    Anonymous,
}

/// A server with one record of each kind, so that every operation can succeed.
struct Furnished {
    world: World,
    application: String,
    other_application: String,
    endpoint: &'static str,
    attempt: String,
    dead_letter: String,
    key: String,
    task: String,
    log: String,
    integration: String,
    autoconfig: String,
    /// The token of the subscription that configures itself.
    receiver: String,
}

impl Furnished {
    async fn new() -> Self {
        let quotas = Quotas { requests_per_second: None, ..Quotas::default() };
        let world = World::with_queue(Settings { quotas, ..settings() }, &FakeQueue::default());
        let create =
            async |uid| world.post("/api/v1/app", json!({ "name": uid, "uid": uid })).await.id();
        let (application, other_application) = (create("a").await, create("b").await);
        world.event_types(&["x"]).await;
        let endpoint = json!({ "url": "https://example.com", "uid": "e" });
        world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
        world.put("/api/v1/app/a/endpoint/e/oauth", oauth()).await.expect(204);
        world.put("/api/v1/app/a/endpoint/e/mtls", mtls()).await.expect(204);
        let live = json!({ "kind": "live", "uid": "live", "disabled": true });
        world.post("/api/v1/app/a/endpoint", live).await.expect(201);
        let polling = json!({ "kind": "polling", "uid": "poll", "eventTypes": ["x"] });
        world.post("/api/v1/app/b/endpoint", polling.clone()).await.expect(201);
        world.post("/api/v1/app/a/destination", destination("d")).await.expect(201);
        let message = json!({ "eventType": "x", "eventId": "m", "payload": {} });
        world.post("/api/v1/app/a/msg", message).await.expect(202);
        let later = json!({ "eventType": "x", "eventId": "later", "payload": {},
            "deliverAt": "2026-01-01T12:00:00Z" });
        world.post("/api/v1/app/a/msg", later).await.expect(202);
        let is_attempted = |page: &Value| page["data"].as_array().is_some_and(|it| it.len() == 1);
        let attempts = world.until("/api/v1/app/a/attempt/msg/m", is_attempted).await;
        let attempt = attempts["data"][0]["id"].as_str().unwrap().to_owned();
        let created = world.post("/ingest/api/v1/source", source("s")).await.expect(201);
        let url = created["ingestUrl"].as_str().unwrap();
        let unsigned = Request::post(url).body(Body::from("{}")).unwrap();
        assert_eq!(world.send(unsigned).await.status, 401);
        let is_rejected = |page: &Value| page["data"][0]["id"].is_string();
        let log = world.until("/ingest/api/v1/source/s/log", is_rejected).await;
        let log = log["data"][0]["id"].as_str().unwrap().to_owned();
        world.post("/api/v1/consumer", consumer("q")).await.expect(201);
        let consumer = world.get("/api/v1/consumer/q").await.id().parse().unwrap();
        let dead_letter = put_dead_letter(world.engine.store().as_ref(), consumer).await;
        put_connector(world.engine.store().as_ref()).await;
        let key = json!({ "name": "K", "role": "viewer" });
        let key = world.post("/api/v1/api-key", key).await.id();
        let endpoint = "e";
        let path = "/api/v1/stats/usage/event-types";
        let ended = world.call(Method::PUT, path, None).await.id();
        let path = format!("/api/v1/background-task/{ended}");
        world.until(&path, |it| it["status"] == "finished").await;
        let operational = json!({ "url": "https://example.com/operational", "uid": "e" });
        world.post("/api/v1/operational-webhook/endpoint", operational).await.expect(201);
        let integration = json!({ "name": "I" });
        let integration = world.post("/api/v1/app/a/integration", integration).await.id();
        let created = world.post("/api/v1/app/a/autoconfig", json!({})).await.expect(201);
        let autoconfig = created["id"].as_str().unwrap().to_owned();
        let receiver = autoconfig::credential(&autoconfig::contents(&created)).to_owned();
        world.post("/api/v1/app/a/endpoint", polling).await.expect(201);
        world.get("/api/v1/app/a/polling-endpoint/poll/consumer/q").await.expect(200);
        world.get("/api/v1/auth/app/a/poller/poll/token").await.expect(200);
        // The last one, so that it has not ended.
        let task = world.task().await;
        Self {
            world,
            application,
            other_application,
            endpoint,
            attempt,
            dead_letter,
            key,
            task,
            log,
            integration,
            autoconfig,
            receiver,
        }
    }

    fn token(&self, caller: Caller) -> Option<String> {
        let own = |id: &str| self.world.own_token(ApplicationGrant::full(application_id(id)));
        match caller {
            Caller::Organization => Some(self.world.token.clone()),
            Caller::Application => Some(own(&self.application)),
            Caller::OtherApplication => Some(own(&self.other_application)),
            Caller::Anonymous => None,
        }
    }

    fn arguments(&self, operation: &AnyOperation) -> [(&str, &str); 16] {
        let is_scheduling =
            matches!(operation.declaration.id, "v1.message.reschedule" | "v1.message.cancel");
        let is_polled = operation.declaration.id.ends_with("-poller-token");
        [
            ("app_id", "a"),
            ("endpoint_id", if is_polled { "poll" } else { self.endpoint }),
            ("sink_id", "poll"),
            ("destination_id", "d"),
            ("msg_id", if is_scheduling { "later" } else { "m" }),
            ("attempt_id", &self.attempt),
            ("source_id", "s"),
            ("event_type_name", "x"),
            ("consumer_id", "q"),
            ("connector_id", "c"),
            ("dead_letter_id", &self.dead_letter),
            ("key_id", &self.key),
            ("task_id", &self.task),
            ("log_id", &self.log),
            ("integ_id", &self.integration),
            ("autoconfig_id", &self.autoconfig),
        ]
    }

    async fn over_http(&self, operation: &AnyOperation, caller: Caller) -> (StatusCode, Value) {
        self.over_http_as(operation, self.token(caller)).await
    }

    async fn over_http_as(
        &self,
        operation: &AnyOperation,
        token: Option<String>,
    ) -> (StatusCode, Value) {
        let declaration = &operation.declaration;
        let mut path = declaration.path.to_owned();
        for (name, value) in self.arguments(operation) {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        if let Some(query) = query(operation) {
            path = format!("{path}?{query}");
        }
        let mut request = Request::builder().method(declaration.method.clone()).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let reply = self.world.send(request.body(Body::from(body(operation))).unwrap()).await;
        (reply.status, comparable(reply.json))
    }

    async fn in_process(&self, operation: &AnyOperation, caller: Caller) -> (StatusCode, Value) {
        let operations = &self.world.operations;
        let principal = match self.token(caller) {
            Some(token) => operations.authenticate(&token).await.unwrap(),
            None => Principal::anonymous(),
        };
        let arguments = self.arguments(operation);
        let input = RawInput::new(&arguments, query(operation), body(operation));
        let result = operations.call_any(&principal, operation, input).await;
        let response = result.unwrap_or_else(ApiError::into_api_response);
        let json = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        (response.status, comparable(json))
    }
}

/// The value without what differs from server to server: ids, times, tokens, which have times, and
/// the size of the store.
fn comparable(value: Value) -> Value {
    let mut value = plain(value);
    remove_times(&mut value);
    value
}

fn remove_times(value: &mut Value) {
    let is_token = |text: &str| {
        text.contains("eyJ") || text.starts_with("auto_v2_") || text.starts_with("sk_poll_")
    };
    match value {
        Value::String(text) if text.starts_with("20") && text.ends_with('Z') => text.clear(),
        Value::String(text) if is_token(text) => text.clear(),
        Value::Number(number) if number.as_u64().is_some_and(|it| it > 1_700_000_000_000) => {
            *value = Value::Null;
        },
        Value::Array(items) => items.iter_mut().for_each(remove_times),
        Value::Object(fields) => {
            fields.remove("bytes");
            // The end of a token.
            fields.remove("hint");
            fields.values_mut().for_each(remove_times);
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
    }
}

fn destination(uid: &str) -> Value {
    let config = json!({ "url": "https://example.com/fifo" });
    json!({ "type": "fifoEndpoint", "config": config, "uid": uid, "status": "disabled" })
}

fn consumer(uid: &str) -> Value {
    json!({ "uid": uid, "kind": "nats", "config": queue_config() })
}

fn oauth() -> Value {
    json!({
        "grantType": "clientCredentials",
        "authMethod": "clientSecretBasic",
        "tokenUrl": "https://id.example.com/token",
        "clientId": "c",
        "clientSecret": "s",
    })
}

/// The same certificate each time, because responses are compared.
fn mtls() -> Value {
    static IDENTITY: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let made = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
        made.cert.pem() + &made.signing_key.serialize_pem()
    });
    json!({ "identity": *IDENTITY })
}

fn source(uid: &str) -> Value {
    let secrets = ["whsec_c2VjcmV0"];
    json!({ "name": "S", "uid": uid, "type": "svix", "appId": "a", "secrets": secrets })
}

/// A transformation that changes nothing.
const CODE: &str = "function handler(webhook) { return webhook }";

/// Stores a connector without running its code.
async fn put_connector(store: &dyn Store) {
    let at = Timestamp::from_millis(1_700_000_000_000);
    let connector = Connector {
        managed_by: None,
        id: ConnectorId::from_parts(1 << 30, 1),
        organization: ORGANIZATION.parse().unwrap(),
        uid: Some("c".parse().unwrap()),
        kind: ConnectorKind::Custom,
        name: "C".to_owned(),
        logo: None,
        description: String::new(),
        instructions: String::new(),
        allowed_event_types: None,
        transformation: CODE.to_owned(),
        feature_flags: None,
        is_for_streams: false,
        options: None,
        created_at: at,
        updated_at: at,
        transformation_updated_at: at,
    };
    store.save(&connector, Expected::New).await.unwrap();
}

fn one_time_token() -> String {
    let grant = Grant {
        expires_at: Some(Timestamp::from_millis(4_000_000_000_000)),
        ..Grant::of(ORGANIZATION.parse().unwrap())
    };
    mint_one_time(&grant, Duration::from_secs(60), &secret(), Timestamp::default())
}

/// The query without which the operation does not succeed.
fn query(operation: &AnyOperation) -> Option<&'static str> {
    (operation.declaration.id == "v1.lookup").then_some("text=m")
}

/// A body with which the operation succeeds.
#[expect(clippy::match_same_arms, reason = "each arm is one operation")]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn body(operation: &AnyOperation) -> String {
    let body = match operation.declaration.id {
        "v1.application.create" => json!({ "name": "c" }),
        "v1.application.update" => json!({ "name": "a", "uid": "a" }),
        "v1.endpoint.create"
        | "v1.ingest.endpoint.create"
        | "v1.operational-webhook.endpoint.create" => {
            json!({ "url": "https://example.com/2" })
        },
        "v1.endpoint.update"
        | "v1.ingest.endpoint.upsert"
        | "v1.operational-webhook.endpoint.upsert" => {
            json!({ "url": "https://example.com/2", "uid": "e" })
        },
        "v1.endpoint.update-headers"
        | "v1.endpoint.patch-headers"
        | "v1.ingest.endpoint.set-headers"
        | "v1.operational-webhook.endpoint.set-headers" => json!({ "headers": { "x-a": "1" } }),
        "v1.destination.create" => destination("new"),
        "v1.destination.upsert" => destination("d"),
        "v1.destination.patch" => json!({ "type": "fifoEndpoint" }),
        "v1.destination.headers-patch" => json!({ "headers": { "x-a": "1" } }),
        "v1.destination.rotate-secret"
        | "v1.destination.skip"
        | "v1.endpoint.skip"
        | "v1.ingest.endpoint.skip" => json!({}),
        "v1.endpoint.recover"
        | "v1.endpoint.bulk-replay"
        | "v1.endpoint.replay-missing"
        | "v1.resend.create"
        | "v1.resend.preview" => json!({ "since": "2020-01-01T00:00:00Z" }),
        "v1.endpoint.set-oauth-config" | "v1.ingest.endpoint.set-oauth-config" => oauth(),
        "v1.endpoint.set-mtls-config" | "v1.ingest.endpoint.set-mtls-config" => mtls(),
        "v1.endpoint.set-server-ca" => json!({ "cert": null }),
        "v1.message.poller.consumer-seek" => json!({ "after": "2026-01-01T00:00:00Z" }),
        "v1.message.pollerv2.consumer-commit" => json!({ "offset": 0 }),
        "v1.authentication.rotate-poller-token" => json!({}),
        "v1.endpoint.cancel-msgs" | "v1.application.cancel-msgs" => {
            json!({ "createdBefore": "2020-01-01T00:00:00Z" })
        },
        "v1.message.precheck" => json!({ "eventType": "x" }),
        "v1.message.reschedule" => json!({ "deliverAt": "2026-01-02T00:00:00Z" }),
        "v1.message.bulk-expunge-content" => json!({ "ids": ["m"] }),
        "v1.statistics.aggregate-app-stats" => {
            json!({ "since": "2020-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z" })
        },
        "v1.endpoint.send-example" | "v1.message.create" => {
            json!({ "eventType": "x", "payload": {} })
        },
        "v1.message.create-batch" => json!({ "messages": [{ "eventType": "x", "payload": {} }] }),
        "v1.message.import" => json!({ "messages": [
            { "id": "imported", "eventType": "x", "payload": {}, "timestamp": "2026-01-01T00:00:00Z" },
        ] }),
        "v1.event-type.create" => json!({ "name": "y", "description": "" }),
        "v1.event-type.update" => json!({ "description": "" }),
        "v1.event-type.check" => json!({ "payload": {} }),
        "v1.ingest.source.create" => source("t"),
        "v1.ingest.source.upsert" => source("s"),
        "v1.ingest.source.rotate-secret" => json!({ "secret": "whsec_c2VjcmV0" }),
        "v1.consumer.create" => consumer("r"),
        "v1.connector.create" => json!({ "name": "N", "transformation": CODE }),
        "v1.connector.upsert" => json!({ "transformation": CODE }),
        "v1.connector.options.set" => json!({ "kind": "Custom", "options": {} }),
        "v1.connector.simulate" | "v1.endpoint.transformation.simulate" => {
            json!({ "code": CODE, "eventType": "x", "payload": {} })
        },
        "v1.api-key.create" => json!({ "name": "N", "role": "publisher" }),
        "v1.authentication.create-message-token" => json!({ "name": "N" }),
        "v1.authentication.exchange-one-time-token" => json!({ "oneTimeToken": one_time_token() }),
        "v1.consumer.upsert" => consumer("q"),
        "v1.application.patch"
        | "v1.consumer.patch"
        | "v1.api-key.patch"
        | "v1.authentication.expire-all"
        | "v1.authentication.expire-organization"
        | "v1.authentication.create-one-time-token"
        | "v1.endpoint.patch"
        | "v1.endpoint.rotate-secret"
        | "v1.endpoint.test"
        | "v1.endpoint.test-filter"
        | "v1.event-type.patch"
        | "v1.authentication.app-portal-access"
        | "v1.authentication.dashboard-access"
        | "v1.ingest.source.patch"
        | "v1.ingest.authentication.consumer-portal-access"
        | "v1.ingest.endpoint.rotate-secret"
        | "v1.operational-webhook.endpoint.rotate-secret"
        | "v1.ingest.endpoint.transformation.patch"
        | "v1.endpoint.transformation.patch"
        | "v1.destination.transformation.patch"
        | "v1.connector.patch"
        | "v1.message.search"
        | "v1.integration.rotate-key"
        | "v1.autoconfig.create"
        | "v1.autoconfig.rotate" => json!({}),
        "v1.event-type.import-openapi" => json!({ "spec": {
            "openapi": "3.1.0",
            "webhooks": { "imported": { "post": { "description": "D" } } },
        } }),
        "v1.environment.apply" => {
            let application = json!({ "name": "Declared", "uid": "declared" });
            json!({ "records": { "applications": [application] } })
        },
        "v1.environment.import" => {
            json!({ "eventTypes": [{ "name": "imported", "description": "D" }] })
        },
        "v1.management.environment-settings.update"
        | "v1.management.environment-settings.patch" => json!({ "enforceHttps": true }),
        "v1.integration.create" | "v1.integration.update" => json!({ "name": "J" }),
        "v1.autoconfig.endpoint.subscribe" => json!({ "url": "https://example.com/3" }),
        "v1.autoconfig.destination.subscribe" => destination("subscribed"),
        _ => return String::new(),
    };
    body.to_string()
}

/// The class of the status that the declaration of the operation implies.
fn expected(operation: &AnyOperation, caller: Caller) -> u16 {
    let declaration = &operation.declaration;
    let is_about_application = declaration.path.contains("{app_id}");
    match (declaration.access, caller) {
        (Access::Anyone, _) => 200,
        (_, Caller::Anonymous) => 401,
        // Only the tokens of applications can be revoked.
        (_, Caller::Organization) if declaration.id == "v1.authentication.logout" => 403,
        (Access::Application(_) | Access::Polling(_), Caller::OtherApplication)
            if is_about_application =>
        {
            404
        },
        // The endpoint is called over HTTP, so it has no readers.
        _ if declaration.id == "v1.endpoint.live-token" => 400,
        (Access::AutoConfig, Caller::OtherApplication) => 404,
        // These need the token of the subscription.
        (Access::AutoConfig, _) if declaration.id.ends_with(".subscribe") => 403,
        // The attempt is one of the endpoint.
        _ if declaration.id == "v1.destination.attempt.get" => 404,
        // Nothing waits, and the destination has received nothing.
        (Access::Application(_), _) | (_, Caller::Organization)
            if declaration.id.ends_with("next-event")
                || declaration.id == "v1.destination.get-last-acked-event" =>
        {
            404
        },
        (_, Caller::Organization)
        | (Access::Application(_) | Access::AutoConfig | Access::Polling(_), _) => 200,
        (Access::Organization, Caller::Application | Caller::OtherApplication) => 403,
    }
}

async fn check(
    over_http: &Furnished,
    in_process: &Furnished,
    operation: &AnyOperation,
    caller: Caller,
) {
    let id = operation.declaration.id;
    let (status, mut json) = over_http.over_http(operation, caller).await;
    let expected = expected(operation, caller);
    let class = if status.is_success() { 200 } else { status.as_u16() };
    assert_eq!(class, expected, "{id} for {caller:?}: {json}");
    let (status_in_process, mut json_in_process) = in_process.in_process(operation, caller).await;
    if caller == Caller::Anonymous && expected == 401 {
        // The messages differ, because a call in process has no header.
        for json in [&mut json, &mut json_in_process] {
            json["detail"].take();
        }
    }
    assert_eq!((status, json), (status_in_process, json_in_process), "{id} for {caller:?}");
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_refused_in_process_as_over_http() {
    let (over_http, in_process) = (Furnished::new().await, Furnished::new().await);
    let callers =
        [Caller::Organization, Caller::Application, Caller::OtherApplication, Caller::Anonymous];
    let operations = operations::all();
    for operation in &operations {
        for caller in callers {
            if expected(operation, caller) != 200 {
                check(&over_http, &in_process, operation, caller).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_has_the_same_result_in_process_as_over_http() {
    let callers =
        [Caller::Organization, Caller::Application, Caller::OtherApplication, Caller::Anonymous];
    let unchanged = (Furnished::new().await, Furnished::new().await);
    let operations = operations::all();
    for operation in &operations {
        for caller in callers.into_iter().filter(|caller| expected(operation, *caller) == 200) {
            if operation.declaration.method.is_safe() {
                check(&unchanged.0, &unchanged.1, operation, caller).await;
            } else {
                // A change needs its own servers, because it affects the other operations.
                let (over_http, in_process) = (Furnished::new().await, Furnished::new().await);
                check(&over_http, &in_process, operation, caller).await;
            }
        }
    }
}

/// Operations that write no entry to the audit log, and why.
const NOT_AUDITED: &[(&str, &str)] = &[
    ("v1.message.create", "the message itself is the record"),
    ("v1.message.create-batch", "the messages themselves are the record"),
    ("v1.endpoint.send-example", "the message itself is the record"),
    ("v1.message.pollerv2.consumer-commit", "clients commit all the time"),
    ("v1.endpoint.check", "it changes nothing"),
    ("v1.message.precheck", "it changes nothing"),
    ("v1.resend.preview", "it changes nothing"),
    ("v1.ingest.log.verify", "it changes nothing"),
    ("v1.endpoint.test", "it changes nothing"),
    ("v1.endpoint.transformation.simulate", "it changes nothing"),
    ("v1.connector.simulate", "it changes nothing"),
    ("v1.endpoint.test-filter", "it reads"),
    ("v1.message.precheck", "it changes nothing"),
    ("v1.message.search", "it reads"),
    ("v1.resend.preview", "it reads"),
    ("v1.event-type.export-openapi", "it reads"),
    ("v1.destination.skip", "nothing waits here; see `destinations.rs`"),
    ("v1.endpoint.skip", "nothing waits here"),
    ("v1.ingest.endpoint.skip", "nothing waits here"),
    ("v1.event-type.check", "it reads"),
    ("v1.environment.export", "it reads"),
    ("v1.ingest.log.verify", "it reads"),
];

#[tokio::test(start_paused = true)]
async fn every_operation_that_changes_something_writes_to_the_audit_log() {
    let changes = |it: &AnyOperation| !it.declaration.method.is_safe();
    let mut wrong = Vec::new();
    for operation in operations::all().iter().filter(|it| changes(it)) {
        let id = operation.declaration.id;
        let mut furnished = Furnished::new().await;
        let caller = match id {
            "v1.authentication.logout" => Caller::Application,
            _ => Caller::Organization,
        };
        if id == "v1.endpoint.live-token" {
            furnished.endpoint = "live";
        }
        let token = match id {
            _ if id.ends_with(".subscribe") => Some(furnished.receiver.clone()),
            _ => furnished.token(caller),
        };
        let (status, json) = furnished.over_http_as(operation, token).await;
        if !status.is_success() {
            wrong.push(format!("{id}: {status} {json}"));
        }
        if id == "v1.authentication.expire-organization" {
            // Its caller's token is expired, too.
            tokio::time::advance(Duration::from_secs(1)).await;
            furnished.world.renew_token();
        }
        let page = furnished.world.get(&format!("/api/v1/audit-log?operation={id}")).await;
        let is_recorded = !page.expect(200)["data"].as_array().unwrap().is_empty();
        let exemption = NOT_AUDITED.iter().find(|(exempt, _)| *exempt == id);
        if is_recorded == exemption.is_some() {
            wrong.push(format!("{id} is recorded: {is_recorded}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operation_declares_what_it_needs() {
    for operation in operations::all() {
        let Declaration { id, method, needs, .. } = &operation.declaration;
        let needs = needs.unwrap_or_else(|| panic!("{id} declares nothing with `needs`"));
        let reads = method.is_safe() || NOT_AUDITED.iter().any(|(exempt, _)| exempt == id);
        if !reads {
            assert!(!matches!(needs, Permission::Read | Permission::ReadSecrets), "{id} changes");
        }
        let reveals = ["get-secret", "get-key", "get-poller-token"];
        let reveals = reveals.iter().any(|it| id.ends_with(it));
        assert_eq!(reveals, needs == Permission::ReadSecrets, "{id} needs {needs:?}");
    }
}

/// Calls the operation with a token of the role, and checks whether it is refused.
async fn check_role(furnished: &Furnished, operation: &AnyOperation, role: Role) {
    let grant = Grant { role, ..Grant::of(ORGANIZATION.parse().unwrap()) };
    let token = mint(&grant, &secret(), furnished.world.engine.clock().now());
    let (status, json) = furnished.over_http_as(operation, Some(token)).await;
    let Declaration { id, access, .. } = operation.declaration.clone();
    let is_permitted =
        access == Access::Anyone || permits(role, operation.declaration.permission());
    // Only the tokens of applications can be logged out, and only those of subscriptions subscribe.
    let needs_other_token = id == "v1.authentication.logout" || id.ends_with(".subscribe");
    let is_refused = status == 403 && !(needs_other_token && is_permitted);
    assert_eq!(is_refused, !is_permitted, "{id} as {role}: {status} {json}");
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_refused_to_roles_without_its_permission() {
    let shared = Furnished::new().await;
    for operation in operations::all() {
        for role in Role::ALL {
            let is_permitted = permits(role, operation.declaration.permission());
            if is_permitted && !operation.declaration.method.is_safe() {
                check_role(&Furnished::new().await, &operation, role).await;
            } else {
                check_role(&shared, &operation, role).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_embedding_program_publishes_with_typed_operations() {
    let world = World::new();
    let operations = &world.operations;
    let grant = Grant::of(ORGANIZATION.parse().unwrap());
    let principal = Principal::new(grant);
    let body: ApplicationIn = serde_json::from_value(json!({ "name": "A", "uid": "a" })).unwrap();
    let create = application::Create { query: application::CreateQuery::default(), body };
    let created = operations.call(&principal, create).await.unwrap();
    assert!(matches!(created, Upserted::Created(_)));
    let id = created.into_inner().id;
    let message: MessageIn =
        serde_json::from_value(json!({ "eventType": "x", "payload": { "a": 1 } })).unwrap();
    let create = message::Create {
        app_id: IdOrUid::Uid("a".parse().unwrap()),
        query: message::ContentQuery::default(),
        body: JsonText::of(&message).unwrap(),
    };
    let published = operations.call(&principal, create).await.unwrap().parse().unwrap();
    let path = format!("/api/v1/app/{id}/msg/{}", published.id);
    assert_eq!(world.get(&path).await.expect(200)["payload"], json!({ "a": 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_principal_ends_with_its_token_and_its_application() {
    let Furnished { world, application, .. } = Furnished::new().await;
    let operations = &world.operations;
    let get = || application::Get { app_id: IdOrUid::Uid("a".parse().unwrap()) };
    let own = ApplicationGrant::full(application_id(&application));
    let expires_at = Some(world.engine.clock().now() + Duration::from_secs(10));
    let grant = |expires_at| Grant {
        application: Some(own.clone()),
        expires_at,
        ..Grant::of(ORGANIZATION.parse().unwrap())
    };
    let (short, long) = (Principal::new(grant(expires_at)), Principal::new(grant(None)));
    operations.call(&short, get()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(71)).await;
    let expired = operations.call(&short, get()).await.unwrap_err();
    assert_eq!(expired.status(), 401);
    assert_eq!(expired.to_string(), "the token has expired");
    operations.call(&long, get()).await.unwrap();
    world.delete("/api/v1/app/a").await.expect(204);
    assert_eq!(operations.call(&long, get()).await.unwrap_err().status(), 401);
    operations.call(&Principal::anonymous(), health::Check {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_goes_on_when_its_caller_stops_waiting() {
    let Furnished { world, .. } = Furnished::new().await;
    let principal = world.operations.authenticate(&world.token).await.unwrap();
    let delete = application::Delete { app_id: IdOrUid::Uid("a".parse().unwrap()) };
    {
        let mut call = std::pin::pin!(world.operations.call(&principal, delete));
        assert!(futures_util::poll!(&mut call).is_pending());
    }
    while world.get("/api/v1/app/a").await.status != 404 {
        tokio::task::yield_now().await;
    }
}
