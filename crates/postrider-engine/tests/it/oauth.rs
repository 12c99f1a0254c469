//! Deliveries with access tokens, from scripted token servers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::future::join_all;
use postrider::{ApplicationId, EndpointId};
use postrider_core::{
    catalog::{
        Authentication, ClientAuthentication, Endpoint, Grant, GrantClaim, GrantType, OauthConfig,
    },
    outcome::{Failure, Outcome},
    time::Timestamp,
    vault::Vault,
};
use postrider_engine::{Clock, Engine, EngineTasks, HttpSender, Report, SenderOptions};
use postrider_store::{Expected, IdOrUid, MemoryStore, Records, Store};
use tokio::io::AsyncWriteExt;

use crate::{
    SECOND,
    calls::{assert_failed, call, options},
    receiver::{Scripted, read_request},
    world,
};

const APPLICATION: ApplicationId = ApplicationId::from_u128(1);

/// A server that makes its responses from requests.
async fn server(respond: impl Fn(&str) -> String + Send + Sync + 'static) -> Scripted {
    let respond = Arc::new(respond);
    Scripted::start(move |mut stream| {
        let respond = Arc::clone(&respond);
        async move {
            while let Some(request) = read_request(&mut stream).await {
                drop(stream.write_all(respond(&request).as_bytes()).await);
            }
        }
    })
    .await
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A token server and a receiver that accepts some of its tokens.
#[derive(Debug, Default)]
struct Tokens {
    /// The requests to the token server.
    requests: Mutex<Vec<String>>,
    /// Tokens before this one are no longer accepted.
    valid_from: Mutex<usize>,
}

impl Tokens {
    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn expire(&self) {
        *self.valid_from.lock().unwrap() = self.count() + 1;
    }

    async fn token_server(self: &Arc<Self>) -> Scripted {
        let tokens = Arc::clone(self);
        server(move |request| {
            let mut requests = tokens.requests.lock().unwrap();
            requests.push(request.to_owned());
            let number = requests.len();
            let json = format!(r#"{{"access_token":"t-{number}","expires_in":3600}}"#);
            response("200 OK", &json)
        })
        .await
    }

    async fn receiver(self: &Arc<Self>) -> Scripted {
        let tokens = Arc::clone(self);
        server(move |request| {
            let token = request.to_ascii_lowercase();
            let token = token.split("authorization: bearer t-").nth(1).unwrap_or_default();
            let number: usize = token.lines().next().unwrap_or_default().parse().unwrap_or(0);
            let is_valid = number > 0 && number >= *tokens.valid_from.lock().unwrap();
            response(if is_valid { "200 OK" } else { "401 Unauthorized" }, "")
        })
        .await
    }
}

fn config(grant_type: GrantType, token_url: &str) -> OauthConfig {
    OauthConfig {
        grant_type,
        token_url: token_url.to_owned(),
        client_id: "client".to_owned(),
        client: ClientAuthentication::Basic { secret: "sesame".to_owned() },
        scopes: Vec::new(),
        params: BTreeMap::new(),
        headers: BTreeMap::new(),
        set_at: Timestamp::default(),
    }
}

/// Nodes over one store.
struct Nodes {
    store: Arc<MemoryStore>,
    vault: Vault,
}

impl Nodes {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        store.save(&world::example(APPLICATION), Expected::New).await.unwrap();
        Self { store, vault: Vault::new("main") }
    }

    async fn add(&self, index: usize, url: &str, config: OauthConfig) -> EndpointId {
        let grant = (config.grant_type == GrantType::RefreshToken)
            .then(|| Grant { refresh_token: "r-1".to_owned(), access: None });
        let authentication = Authentication {
            oauth: self.vault.seal_at_rest(&Some(config), [1; 24]),
            grant: self.vault.seal_at_rest(&grant, [2; 24]),
            ..Authentication::default()
        };
        let endpoint = Endpoint {
            url: url.to_owned(),
            authentication,
            ..world::endpoint(APPLICATION, index, None, &self.vault)
        };
        self.store.save(&endpoint, Expected::New).await.unwrap();
        endpoint.id
    }

    fn node(&self, seed: u64, options: SenderOptions) -> (Engine, EngineTasks) {
        let clock = Clock::simulated(seed, 0, tokio::time::Instant::now());
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let sender = Arc::new(HttpSender::new(options));
        Engine::new(store, sender, clock, self.vault.clone(), world::settings())
    }

    async fn endpoint(&self, id: EndpointId) -> Endpoint {
        self.store.get::<Endpoint>(&APPLICATION, &IdOrUid::Id(id)).await.unwrap().unwrap()
    }

    async fn grant(&self, id: EndpointId) -> Grant {
        let endpoint = self.endpoint(id).await;
        self.vault.open_at_rest(&endpoint.authentication.grant).unwrap().unwrap()
    }
}

async fn send(engine: &Engine, endpoint: EndpointId) -> Report {
    let entry = engine.directory().entry(APPLICATION).await.unwrap().unwrap();
    let target = Arc::clone(entry.target(endpoint).unwrap());
    engine.deliver_directly(target, call("http://unused.example").message).await
}

/// An address that nothing listens on.
async fn unused() -> std::net::SocketAddr {
    Scripted::answering("").await.address
}

fn patient() -> SenderOptions {
    SenderOptions { request_timeout: 20 * SECOND, idle_connections: 200, ..options() }
}

#[tokio::test]
async fn a_hundred_deliveries_share_one_token_request() {
    let (nodes, tokens) = (Nodes::new().await, Arc::<Tokens>::default());
    let (token_server, receiver) = (tokens.token_server().await, tokens.receiver().await);
    let config = config(GrantType::ClientCredentials, &token_server.url());
    let endpoint = nodes.add(0, &receiver.url(), config).await;
    let (engine, _tasks) = nodes.node(1, patient());
    let reports = join_all((0..100).map(|_| send(&engine, endpoint))).await;
    for report in &reports {
        assert!(report.outcome.delivered(), "{report:?}");
    }
    assert_eq!(tokens.count(), 1);
    let request = tokens.requests.lock().unwrap()[0].clone();
    assert!(request.ends_with("grant_type=client_credentials"), "{request}");
    assert!(request.contains("authorization: Basic Y2xpZW50OnNlc2FtZQ=="), "{request}");
}

#[tokio::test]
async fn a_token_that_is_no_longer_accepted_is_replaced_once() {
    let (nodes, tokens) = (Nodes::new().await, Arc::<Tokens>::default());
    let (token_server, receiver) = (tokens.token_server().await, tokens.receiver().await);
    let config = config(GrantType::ClientCredentials, &token_server.url());
    let endpoint = nodes.add(0, &receiver.url(), config).await;
    let (engine, _tasks) = nodes.node(1, patient());
    assert!(send(&engine, endpoint).await.outcome.delivered());
    tokens.expire();
    let reports = join_all((0..50).map(|_| send(&engine, endpoint))).await;
    for report in &reports {
        assert!(report.outcome.delivered(), "{report:?}");
    }
    assert_eq!(tokens.count(), 2);
}

#[tokio::test]
async fn a_token_that_was_never_accepted_is_not_replaced() {
    let (nodes, tokens) = (Nodes::new().await, Arc::<Tokens>::default());
    let token_server = tokens.token_server().await;
    let receiver = server(|_| response("401 Unauthorized", "no")).await;
    let config = config(GrantType::ClientCredentials, &token_server.url());
    let endpoint = nodes.add(0, &receiver.url(), config).await;
    let (engine, _tasks) = nodes.node(1, patient());
    for _ in 0..3 {
        let report = send(&engine, endpoint).await;
        assert_eq!(report.outcome, Outcome::Answered { status: 401, retry_after: None });
    }
    assert_eq!(tokens.count(), 1);
}

#[tokio::test]
async fn failures_of_token_servers_are_explained_and_not_repeated() {
    let huge = "x".repeat(100_000);
    let error = r#"{"error":"invalid_client","error_description":"sesame is wrong"}"#;
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n".to_owned();
    let (nodes, receiver) = (Nodes::new().await, Scripted::answering(crate::calls::OK).await);
    let cases = [
        (response("200 OK", "<html>"), Failure::Misconfigured, "is not a JSON object"),
        (response("200 OK", &huge), Failure::Protocol, "longer than 65536 bytes"),
        (response("401 Unauthorized", error), Failure::Misconfigured, "invalid_client: *** is"),
        (response("503 Unavailable", ""), Failure::Unavailable, "status 503"),
        (redirect, Failure::Misconfigured, "redirects are not followed"),
        ("SSH-2.0-x\r\n".to_owned(), Failure::Protocol, "the token server: "),
        (String::new(), Failure::Timeout, "no complete response within 125 ms"),
    ];
    let mut endpoints = Vec::new();
    for (index, (response, failure, expected)) in cases.into_iter().enumerate() {
        let token_server = server(move |_| response.clone()).await;
        let config = config(GrantType::ClientCredentials, &token_server.url());
        let endpoint = nodes.add(index, &receiver.url(), config).await;
        endpoints.push((endpoint, token_server, failure, expected));
    }
    let (engine, _tasks) = nodes.node(1, options());
    for (endpoint, token_server, failure, expected) in endpoints {
        for _ in 0..3 {
            let report = send(&engine, endpoint).await;
            assert_failed(&report, failure, expected);
            let said = String::from_utf8_lossy(&report.response.body);
            assert!(said.starts_with("no access token: ") && !said.contains("sesame"), "{said}");
        }
        assert_eq!(token_server.connections(), 1, "{expected}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_token_server_passes_the_address_guard() {
    let nodes = Nodes::new().await;
    let (receiver, token_server) =
        (Scripted::answering(crate::calls::OK).await, Scripted::answering(crate::calls::OK).await);
    let port = token_server.address.port();
    let mut endpoints = Vec::new();
    for (index, (url, failure)) in [
        (format!("http://10.0.0.1:{port}/token"), Failure::Forbidden),
        (format!("http://{}/token", unused().await), Failure::Connect),
        ("http://nowhere.invalid/token".to_owned(), Failure::Resolve),
    ]
    .into_iter()
    .enumerate()
    {
        let config = config(GrantType::ClientCredentials, &url);
        endpoints.push((nodes.add(index, &receiver.url(), config).await, failure));
    }
    let (engine, _tasks) = nodes.node(1, patient());
    for (endpoint, failure) in endpoints {
        assert_failed(&send(&engine, endpoint).await, failure, "no access token: the token server");
    }
}

#[tokio::test]
async fn a_token_server_that_hangs_blocks_no_other_endpoint() {
    let (nodes, tokens) = (Nodes::new().await, Arc::<Tokens>::default());
    let (token_server, receiver) = (tokens.token_server().await, tokens.receiver().await);
    let silent = Scripted::start(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let slow = config(GrantType::ClientCredentials, &silent.url());
    let slow = nodes.add(0, &receiver.url(), slow).await;
    let fast = config(GrantType::ClientCredentials, &token_server.url());
    let fast = nodes.add(1, &receiver.url(), fast).await;
    let (engine, _tasks) = nodes.node(1, patient());
    let hanging = join_all((0..100).map(|_| send(&engine, slow)));
    let sending = send(&engine, fast);
    tokio::select! {
        biased;
        _ = hanging => panic!("the token server does not respond"),
        report = sending => assert!(report.outcome.delivered(), "{report:?}"),
    }
    assert_eq!(silent.connections(), 1);
}

/// A token server that accepts each refresh token once, and then never again.
#[derive(Debug)]
struct Rotating {
    current: Mutex<usize>,
    reused: Mutex<usize>,
    /// Seconds until access tokens expire.
    lifetime: u64,
}

impl Rotating {
    fn new(lifetime: u64) -> Arc<Self> {
        Arc::new(Self { current: Mutex::new(1), reused: Mutex::default(), lifetime })
    }

    async fn start(self: &Arc<Self>) -> Scripted {
        let rotating = Arc::clone(self);
        server(move |request| {
            let given = request.split("refresh_token=r-").nth(1).unwrap_or_default();
            let given: usize = given.split('&').next().unwrap().parse().unwrap_or(0);
            let mut current = rotating.current.lock().unwrap();
            if given != *current {
                *rotating.reused.lock().unwrap() += 1;
                return response("400 Bad Request", r#"{"error":"invalid_grant"}"#);
            }
            *current += 1;
            let (number, lifetime) = (*current, rotating.lifetime);
            let json = format!(
                r#"{{"access_token":"t-{number}","refresh_token":"r-{number}","expires_in":{lifetime}}}"#
            );
            response("200 OK", &json)
        })
        .await
    }
}

#[tokio::test]
async fn nodes_never_use_a_refresh_token_twice_and_keep_the_newest() {
    let (nodes, tokens, rotating) =
        (Nodes::new().await, Arc::<Tokens>::default(), Rotating::new(0));
    let (token_server, receiver) = (rotating.start().await, tokens.receiver().await);
    let config = config(GrantType::RefreshToken, &token_server.url());
    let endpoint = nodes.add(0, &receiver.url(), config).await;
    let engines: Vec<_> = (1..=3).map(|seed| nodes.node(seed, patient())).collect();
    for _ in 0..5 {
        let sending =
            engines.iter().flat_map(|(engine, _)| (0..4).map(move |_| send(engine, endpoint)));
        for report in join_all(sending).await {
            assert!(report.outcome.delivered(), "{report:?}");
        }
    }
    let used = *rotating.current.lock().unwrap();
    assert!(used > 5, "{used}");
    assert_eq!(*rotating.reused.lock().unwrap(), 0);
    assert_eq!(nodes.grant(endpoint).await.refresh_token, format!("r-{used}"));
    assert_eq!(nodes.endpoint(endpoint).await.authentication.claim, None);
}

#[tokio::test]
async fn nodes_share_an_access_token_and_a_node_that_failed_does_not_block_the_others() {
    let (nodes, tokens, rotating) =
        (Nodes::new().await, Arc::<Tokens>::default(), Rotating::new(3_600));
    let (token_server, receiver) = (rotating.start().await, tokens.receiver().await);
    let config = config(GrantType::RefreshToken, &token_server.url());
    let endpoint = nodes.add(0, &receiver.url(), config).await;
    let mut stored = nodes.endpoint(endpoint).await;
    stored.authentication.claim = Some(GrantClaim { holder: 1, until: Timestamp::default() });
    nodes.store.save(&stored, Expected::Any).await.unwrap();
    let engines: Vec<_> = (1..=3).map(|seed| nodes.node(seed, patient())).collect();
    for (engine, _) in &engines {
        assert!(send(engine, endpoint).await.outcome.delivered());
    }
    assert_eq!(*rotating.current.lock().unwrap(), 2);
    // Every node replaces the token that has expired with the same one.
    *tokens.valid_from.lock().unwrap() = 3;
    for (engine, _) in &engines {
        assert!(send(engine, endpoint).await.outcome.delivered());
    }
    assert_eq!((*rotating.current.lock().unwrap(), *rotating.reused.lock().unwrap()), (3, 0));
}

#[tokio::test]
async fn a_change_of_the_configuration_is_not_overwritten_by_a_token_that_arrives_late() {
    let (nodes, receiver) = (Nodes::new().await, Scripted::answering(crate::calls::OK).await);
    let (asked, mut was_asked) = tokio::sync::mpsc::channel::<()>(1);
    let (release, released) = tokio::sync::watch::channel(false);
    let token_server = Scripted::start(move |mut stream| {
        let (asked, mut released) = (asked.clone(), released.clone());
        async move {
            while read_request(&mut stream).await.is_some() {
                asked.send(()).await.unwrap();
                released.wait_for(|it| *it).await.unwrap();
                let json = r#"{"access_token":"late","refresh_token":"r-2"}"#;
                drop(stream.write_all(response("200 OK", json).as_bytes()).await);
            }
        }
    })
    .await;
    let old = config(GrantType::RefreshToken, &token_server.url());
    let endpoint = nodes.add(0, &receiver.url(), old.clone()).await;
    let (engine, _tasks) = nodes.node(1, patient());
    let change = async {
        was_asked.recv().await.unwrap();
        let mut changed = nodes.endpoint(endpoint).await;
        let new = OauthConfig { client_id: "other".to_owned(), ..old };
        let grant = Grant { refresh_token: "of the user".to_owned(), access: None };
        changed.authentication.oauth = nodes.vault.seal_at_rest(&Some(new), [3; 24]);
        changed.authentication.grant = nodes.vault.seal_at_rest(&Some(grant), [4; 24]);
        nodes.store.save(&changed, Expected::Any).await.unwrap();
        release.send_replace(true);
    };
    tokio::join!(send(&engine, endpoint), change);
    assert_eq!(nodes.grant(endpoint).await.refresh_token, "of the user");
}

#[tokio::test]
async fn a_check_gets_an_access_token() {
    let (nodes, tokens) = (Nodes::new().await, Arc::<Tokens>::default());
    let (token_server, receiver) = (tokens.token_server().await, tokens.receiver().await);
    let good = config(GrantType::ClientCredentials, &token_server.url());
    let good = nodes.add(0, &receiver.url(), good).await;
    let unused = format!("http://{}/token", unused().await);
    let bad = config(GrantType::ClientCredentials, &unused);
    let bad = nodes.add(1, &receiver.url(), bad).await;
    let (engine, _tasks) = nodes.node(1, patient());
    let entry = engine.directory().entry(APPLICATION).await.unwrap().unwrap();
    let report = engine.check(Arc::clone(entry.target(good).unwrap())).await;
    assert!(report.outcome.delivered(), "{report:?}");
    assert!(report.response.body.ends_with(b"got an access token; no request was sent"));
    let report = engine.check(Arc::clone(entry.target(bad).unwrap())).await;
    assert_failed(&report, Failure::Connect, "no access token");
    assert_ne!(report.response.body, Bytes::new());
}
