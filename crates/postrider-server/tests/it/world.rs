//! A whole server in this process: the router over the engine over a store, with a
//! receiver that responds as the test determines, and a clock that only tests move.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use postrider::{
    ApplicationId, OrganizationId,
    api::{EndpointKind, QueueKind},
    provider::KeyRequest,
    signature::Kind,
};
use postrider_core::{
    address, breaker,
    catalog::{Task, Work},
    delivery::Response,
    outcome::{Failure, Outcome},
    own_urls::{OwnUrls, UrlRules},
    request::SignatureHeaders,
    retry::Schedule,
    statistics::StatisticsRetention,
    target::Target,
    vault::Vault,
};
use postrider_engine::{
    self as engine, Call, Clock, Engine, FetchError, LiveHub, LiveSender, QueueConnector, Report,
    Sender, Shaper,
};
use postrider_sandbox::{Launch, Sandbox, SandboxOptions};
use postrider_server::{
    ApplicationGrant, Consumers, Grant, JwtSecret, Limits, Operations, Quotas, Server, Settings,
    mint,
};
use postrider_store::{Expected, MemoryStore, Records as _, Retention, Store};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{frozen_clock::FrozenClockStore, schema::Schema};

pub(crate) const ORGANIZATION: &str = "org_test";
pub(crate) const OPERATOR: &str = "org_operator";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A whole server in this process.
pub(crate) struct World {
    pub(crate) router: Router,
    metrics: Router,
    pub(crate) operations: Operations,
    pub(crate) engine: Engine,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) token: String,
    consumers: Consumers,
    tasks: JoinSet<()>,
}

/// A receiver that responds to every request with one status (if it is 299, with an incomplete
/// body), and the keys that can be fetched.
#[derive(Debug)]
pub(crate) struct Receiver {
    status: AtomicU16,
    /// How long it takes to respond, in milliseconds.
    pause: AtomicU64,
    /// What was delivered, in that order.
    pub(crate) calls: Mutex<Vec<Request<Bytes>>>,
    /// What is to be had, and whether it can be reached.
    pub(crate) keys: Mutex<HashMap<String, Result<Bytes, FetchError>>>,
    /// What was asked for, in that order.
    pub(crate) fetched: Mutex<Vec<String>>,
    /// Delivers to endpoints of the kind `live`.
    live: LiveSender,
    shaper: Shaper,
}

#[async_trait]
impl Sender for Receiver {
    async fn send(&self, call: Call) -> Report {
        if call.target.script.is_some() {
            return self.shaper.deliver(call, |call| self.deliver(call)).await;
        }
        self.deliver(call).await
    }

    fn live(&self) -> Option<&Arc<LiveHub>> {
        self.live.live()
    }

    fn shaper(&self) -> Option<&Shaper> {
        Some(&self.shaper)
    }

    async fn check(&self, _target: Arc<Target>) -> Report {
        match self.status.load(Ordering::Relaxed) {
            200 => Report::delivered("connected"),
            _ => Report::failed(Failure::Connect, "nothing listens at the port"),
        }
    }

    /// One kind is missing, as in a build without all of them.
    fn supports(&self, kind: EndpointKind) -> bool {
        kind != EndpointKind::Sqlite
    }

    async fn fetch(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        self.fetched.lock().unwrap().push(request.url.clone());
        // As over a network: others come to their turn meanwhile.
        tokio::task::yield_now().await;
        let nothing = || Err(FetchError::Unreachable("nothing is there".to_owned()));
        self.keys.lock().unwrap().get(&request.url).cloned().unwrap_or_else(nothing)
    }
}

impl Receiver {
    async fn deliver(&self, call: Call) -> Report {
        if call.target.live().is_some() {
            return self.live.send(call).await;
        }
        let Some(http) = call.target.http() else {
            return match self.status.load(Ordering::Relaxed) {
                200 => Report::delivered("the message was written"),
                _ => Report::failed(Failure::Misconfigured, "there is no such place; create it"),
            };
        };
        let request = http.request(&call.message, call.body.clone(), call.at);
        self.calls.lock().unwrap().push(request);
        let status = self.status.load(Ordering::Relaxed);
        let pause = Duration::from_millis(self.pause.load(Ordering::Relaxed));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Report {
            outcome: Outcome::Answered { status, retry_after: None },
            response: Response {
                headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
                body: "thanks".into(),
            }
            .noted((status == 299).then(|| "the response is incomplete".to_owned())),
            url: None,
            address: Some(([192, 0, 2, 1], 443).into()),
            duration: pause + Duration::from_millis(7),
        }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Takes this long for every response.
    pub(crate) fn pause(&self, millis: u64) {
        self.pause.store(millis, Ordering::Relaxed);
    }
}

pub(crate) fn secret() -> JwtSecret {
    JwtSecret::new("a secret for tests")
}

pub(crate) fn settings() -> Settings {
    Settings {
        propagates_traces: true,
        jwt_secret: secret(),
        token_expiry: 90 * DAY,
        default_signature: Kind::Symmetric,
        urls: UrlRules {
            policy: address::Policy::default(),
            own: OwnUrls(vec!["http://portal.example".parse().unwrap()]),
        },
        payload_retention: 90 * DAY,
        portal_url: "http://portal.example".to_owned(),
        relay: true,
        cors_origins: Vec::new(),
        sso: None,
        docs: true,
        relay_url: None,
        trusted_proxies: Vec::new(),
        draining: CancellationToken::new(),
        limits: Limits { max_payload: 64 << 10, ..Limits::default() },
        quotas: Quotas::default(),
    }
}

fn engine_settings() -> engine::Settings {
    engine::Settings {
        limits: engine::Limits::default(),
        schedule: Schedule::new(&[Duration::from_secs(5); 3], 0.0),
        disable_endpoint_after: 5 * DAY,
        breaker: breaker::Policy { threshold: 10, rest: DAY / 1_440, rest_max: DAY / 24 },
        signature_headers: SignatureHeaders::Standard,
        user_agent: HeaderValue::from_static("postrider-test"),
        operator: Some(OPERATOR.parse().unwrap()),
        retention: Retention {
            rows: 90 * DAY,
            idempotency: DAY / 2,
            digests: 30 * DAY,
            rejections: DAY / 2,
            audit_log: 90 * DAY,
        },
        statistics_retention: StatisticsRetention::DEFAULT,
        endpoint_metrics: 0,
        alerts: None,
        shards: 1,
        tracer: None,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::with_queues(settings, Vec::new())
    }

    /// A server that can read this queue, which has the kind `nats`.
    pub(crate) fn with_queue(settings: Settings, queue: &(impl QueueConnector + Clone)) -> Self {
        let queue: Arc<dyn QueueConnector> = Arc::new(queue.clone());
        Self::with_queues(settings, vec![(QueueKind::Nats, queue)])
    }

    /// A server that recognizes repetitions for this long.
    pub(crate) fn remembering(duplicates: Duration) -> Self {
        let mut engine = engine_settings();
        engine.retention.digests = duplicates;
        Self::start(settings(), engine, Vec::new())
    }

    fn with_queues(settings: Settings, queues: Vec<(QueueKind, Arc<dyn QueueConnector>)>) -> Self {
        Self::start(settings, engine_settings(), queues)
    }

    fn start(
        settings: Settings,
        engine: engine::Settings,
        queues: Vec<(QueueKind, Arc<dyn QueueConnector>)>,
    ) -> Self {
        let store: Arc<dyn Store> = match Schema::if_selected() {
            Some(schema) => Arc::new(FrozenClockStore::open(schema)),
            None => Arc::new(MemoryStore::default()),
        };
        let receiver = Arc::new(Receiver {
            status: AtomicU16::new(200),
            pause: AtomicU64::new(0),
            calls: Mutex::default(),
            keys: Mutex::default(),
            fetched: Mutex::default(),
            live: LiveSender::default(),
            shaper: Shaper::new(
                Sandbox::new(SandboxOptions::new(Launch::Thread)),
                settings.urls.clone(),
            ),
        });
        let clock = Clock::simulated(7, 0, Instant::now());
        let vault = Vault::new("a main secret for tests");
        let sender = Arc::clone(&receiver) as Arc<dyn Sender>;
        let (engine, parts) = Engine::new(store, sender, clock, vault, engine);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for driver in parts.drivers {
            tasks.spawn(driver.run(stop.clone(), Duration::ZERO));
        }
        tasks.spawn(parts.background.run(stop.clone()));
        tasks.spawn(parts.maintenance.run(stop));
        let server = Server::with_queues(engine.clone(), settings, queues);
        let token = token(&engine, ORGANIZATION, None);
        let (router, metrics) = (server.router(), server.metrics_router());
        let operations = server.operations();
        let consumers = server.consumers();
        Self { router, metrics, operations, engine, receiver, token, consumers, tasks }
    }

    /// Sends a request with the organization's token.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.call_as(&self.token, method, path, body).await
    }

    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Reply {
        let body = body.map_or_else(Body::empty, |it| Body::from(it.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(body);
        self.send(request.unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        Self::send_to(&self.router, request).await
    }

    /// Sends a request to the listener for metrics.
    pub(crate) async fn ask_metrics(&self, request: Request<Body>) -> Reply {
        Self::send_to(&self.metrics, request).await
    }

    /// All metrics in the text format.
    pub(crate) async fn metrics(&self) -> String {
        self.ask_metrics(Request::get("/metrics").body(Body::empty()).unwrap()).await.text
    }

    async fn send_to(router: &Router, request: Request<Body>) -> Reply {
        let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status: parts.status, headers: parts.headers, json, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PUT, path, Some(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PATCH, path, Some(&body)).await
    }

    /// Creates event types.
    pub(crate) async fn event_types(&self, names: &[&str]) {
        for name in names {
            let event_type = json!({ "name": name, "description": "" });
            self.post("/api/v1/event-type", event_type).await.expect(201);
        }
    }

    /// A token of the application's own.
    pub(crate) fn own_token(&self, grant: ApplicationGrant) -> String {
        token(&self.engine, ORGANIZATION, Some(grant))
    }

    /// Replaces the token that requests are made with.
    pub(crate) fn renew_token(&mut self) {
        self.token = token(&self.engine, ORGANIZATION, None);
    }

    /// Stores a background task that no node has started yet, and returns its id.
    pub(crate) async fn task(&self) -> String {
        let clock = self.engine.clock();
        let (id, organization) = (clock.task_id(), ORGANIZATION.parse().unwrap());
        let by = "a test".to_owned();
        let task = Task::new(id, organization, Work::ListSubscriptions, by, clock.now());
        self.engine.store().save(&task, Expected::New).await.unwrap();
        id.to_string()
    }

    /// Repeats the request until the response meets the condition.
    pub(crate) async fn until(&self, path: &str, is_done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_000 {
            let reply = self.get(path).await;
            if is_done(&reply.json) {
                return reply.json;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path} never became what it should");
    }

    /// Reads the queues of all consumers from now on.
    pub(crate) fn run_consumers(&mut self) {
        self.tasks.spawn(self.consumers.clone().run(CancellationToken::new()));
    }

    /// Stops the engine where it is, as a panic does.
    pub(crate) fn break_engine(&mut self) {
        self.tasks.abort_all();
    }

    /// No room of the engine has ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.tasks.try_join_next().is_none()
    }
}

pub(crate) fn token(
    engine: &Engine,
    organization: &str,
    application: Option<ApplicationGrant>,
) -> String {
    let organization: OrganizationId = organization.parse().unwrap();
    let grant = Grant { application, ..Grant::of(organization) };
    mint(&grant, &secret(), engine.clock().now())
}

/// The value with short names for ids, which tell only which ones are the same.
pub(crate) fn plain(mut value: Value) -> Value {
    let mut names = HashMap::new();
    shorten(&mut value, &mut names);
    value
}

fn shorten(value: &mut Value, names: &mut HashMap<String, String>) {
    match value {
        Value::String(text) => {
            let (minus, id) = text.strip_prefix('-').map_or(("", text.as_str()), |id| ("-", id));
            if let Some((kind, rest)) = id.split_once('_')
                && (rest.len() == 26 || (kind == "sink" && rest.len() == 22))
            {
                let next = names.len() + 1;
                let name = names.entry(id.to_owned()).or_insert_with(|| format!("{kind}_{next}"));
                *text = format!("{minus}{name}");
            }
        },
        Value::Array(items) => items.iter_mut().for_each(|it| shorten(it, names)),
        Value::Object(fields) => fields.values_mut().for_each(|it| shorten(it, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {},
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Reply {
    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json
    }

    pub(crate) fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("{}", self.text)).to_owned()
    }
}

pub(crate) fn application_id(text: &str) -> ApplicationId {
    text.parse().unwrap()
}
