//! Secrets are never stored in plaintext: not in the data folder, the database, a backup or the log.
//! Only the owner of the files can read them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use postrider_core::{
    catalog::{AtRest, Consumer, Endpoint, Source},
    vault::Vault,
};
use postrider_store::{
    EmbeddedStore, Options, PostgresOptions, PostgresStore, Rewrite, RewritePosition, Store,
};
use serde_json::{Value, json};

use crate::{
    receiver::Receiver,
    schema::Schema,
    server::{Server, postrider, token, until_async},
};

/// Log everything.
const LOG: (&str, &str) = ("POSTRIDER_LOG_LEVEL", "debug");

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ROTATED: &str = "whsec_Zm9yIHRlc3RzIG9mIHdoYXQgaXMga2VwdA";
const HEADER: &str = "Bearer header-of-an-endpoint/1";
const NEW_HEADER: &str = "Bearer header-of-an-endpoint/2";
const API_KEY: &str = "key-of-an-endpoint";
const GITLAB: &str = "token-of-gitlab-1";
const NEW_GITLAB: &str = "token-of-gitlab-2";
const WRONG_GITLAB: &str = "token-of-gitlab-that-is-wrong";
const META: &str = "verify-token-of-meta";
const WRONG_META: &str = "verify-token-of-meta-that-is-wrong";
const GRAPH: &str = "client-state-of-graph-that-is-wrong";
const CUSTOM: &str = "password-in-a-form";
const MAIL: &str = "password-of-a-mail-server";
const NEW_MAIL: &str = "another-password-of-a-mail-server";
const DATABASE: &str = "password-in-the-url-of-a-database";
const NEW_DATABASE: &str = "another-password-of-a-database";
const SLACK: &str = "secret-part-of-a-slack-webhook";
const QUEUE: &str = "password-in-the-url-of-a-queue";
const NEW_QUEUE: &str = "another-password-of-a-queue";
const REFUSED_MAIL: &str = "password-in-a-refused-request";

/// Uses a server, and collects each secret.
struct Fixture {
    server: Server,
    secrets: BTreeMap<&'static str, String>,
}

impl Fixture {
    fn add_secret(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 12, "{what} is {secret}");
        self.secrets.insert(what, secret.to_owned());
    }

    /// Calls the API twice with an idempotency key; both responses must be equal.
    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let key = format!("{method} {path} {body}").replace(|it: char| !it.is_ascii(), "");
        let ask = || {
            let request = Request::builder()
                .method(method.clone())
                .uri(format!("{}{path}", self.server.url))
                .header("authorization", format!("Bearer {}", self.server.token))
                .header("content-type", "application/json");
            let length = key.len().min(256);
            if method == Method::POST {
                request.header("idempotency-key", key.get(..length).unwrap())
            } else {
                request
            }
        };
        let (status, first) = send(ask(), body.to_string()).await;
        assert!((200..300).contains(&status), "{path} responded with {status}: {first}");
        if method == Method::POST {
            assert_eq!(send(ask(), body.to_string()).await, (status, first.clone()), "{path}");
        }
        serde_json::from_str(&first).unwrap_or(Value::Null)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, body).await
    }

    /// Creates a source; returns its id and the path of its URL.
    async fn source(&mut self, what: &'static str, ask: Value) -> (String, String) {
        let source = self.post("/ingest/api/v1/source", ask).await;
        let url = source["ingestUrl"].as_str().unwrap().to_owned();
        self.add_secret(what, url.rsplit('/').next().unwrap());
        (source["id"].as_str().unwrap().to_owned(), url)
    }

    async fn endpoints(&mut self, receiver: &Receiver) {
        let all = "/api/v1/app/acme/endpoint";
        self.post("/api/v1/app", json!({ "name": "A", "uid": "acme" })).await;
        let event_type = json!({ "name": "test.event", "description": "" });
        self.post("/api/v1/event-type", event_type).await;
        let headers = json!({ "Authorization": HEADER, "x-own": API_KEY });
        let given = json!({
            "url": receiver.url("ok"), "uid": "given", "secret": SECRET, "headers": headers
        });
        self.post(all, given).await;
        for (what, secret) in [("secret", SECRET), ("rotated", ROTATED)] {
            self.add_secret(what, secret.strip_prefix("whsec_").unwrap());
        }
        self.add_secret("header", HEADER);
        self.add_secret("own header", API_KEY);
        let rotate = format!("{all}/given/secret/rotate");
        self.post(&rotate, json!({ "key": ROTATED })).await;
        let drawn = self.post(&rotate, json!({})).await;
        self.add_secret("drawn", drawn["key"].as_str().unwrap().strip_prefix("whsec_").unwrap());
        let portal = self.post("/api/v1/auth/app-portal-access/acme", json!({})).await;
        self.add_secret("portal", portal["token"].as_str().unwrap());
        self.publish(receiver, 1, HEADER).await;
        let headers = json!({ "headers": { "Authorization": NEW_HEADER } });
        self.call(Method::PUT, &format!("{all}/given/headers"), headers).await;
        self.add_secret("new header", NEW_HEADER);
        self.publish(receiver, 2, NEW_HEADER).await;
    }

    /// Endpoints of other kinds, which cannot be reached.
    async fn kinds(&mut self) {
        let all = "/api/v1/app/kinds/endpoint";
        self.post("/api/v1/app", json!({ "name": "K", "uid": "kinds" })).await;
        let mail = |password| {
            json!({
                "host": "127.0.0.1", "port": 1, "tls": "none", "username": "u",
                "password": password, "from": "a@example.com", "to": ["b@example.com"],
            })
        };
        self.post(all, json!({ "uid": "mail", "kind": "email", "config": mail(MAIL) })).await;
        let changed = json!({ "config": mail(NEW_MAIL) });
        self.call(Method::PATCH, &format!("{all}/mail"), changed).await;
        for (what, secret) in [("mail", MAIL), ("new mail", NEW_MAIL)] {
            self.add_secret(what, secret);
        }
        let unreachable = json!({ "config": mail(REFUSED_MAIL) });
        let (status, refused) =
            self.ask(Method::PATCH, &format!("{all}/mail?check=true"), unreachable).await;
        assert_eq!(status, 422, "{refused}");
        self.fail_to_reach(all, "mail").await;
        self.add_secret("refused mail", REFUSED_MAIL);
        self.urls(all).await;
        let message = json!({ "eventType": "test.event", "payload": {} });
        self.post("/api/v1/app/kinds/msg", message).await;
        for uid in ["mail", "database", "slack"] {
            let path = format!("/api/v1/app/kinds/attempt/endpoint/{uid}");
            while self.call(Method::GET, &path, json!(null)).await["data"] == json!([]) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Sends a request once, without an idempotency key.
    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.url))
            .header("authorization", format!("Bearer {}", self.server.token));
        send(request, body.to_string()).await
    }

    /// Tests and checks an endpoint whose service does not exist.
    async fn fail_to_reach(&self, all: &str, uid: &str) {
        for action in ["test", "check"] {
            let path = format!("{all}/{uid}/{action}");
            let (_, result) = self.ask(Method::POST, &path, json!({})).await;
            assert!(result.contains(r#""success":false"#), "{result}");
        }
    }

    /// Endpoints whose URL contains a credential, or is one.
    async fn urls(&mut self, all: &str) {
        let database =
            |password| json!({ "url": format!("postgres://u:{password}@127.0.0.1:1/shop") });
        let slack = json!({ "url": format!("http://127.0.0.1:1/services/T0/B0/{SLACK}") });
        for (uid, kind, config) in
            [("database", "postgres", database(DATABASE)), ("slack", "slack", slack)]
        {
            self.post(all, json!({ "uid": uid, "kind": kind, "config": config })).await;
            self.fail_to_reach(all, uid).await;
        }
        let changed = json!({ "config": database(NEW_DATABASE) });
        self.call(Method::PATCH, &format!("{all}/database"), changed).await;
        for (what, secret) in
            [("database", DATABASE), ("new database", NEW_DATABASE), ("slack", SLACK)]
        {
            self.add_secret(what, secret);
        }
    }

    /// A consumer whose queue cannot be reached.
    async fn consumer(&mut self) {
        let config = |password| json!({ "url": format!("nats://u:{password}@127.0.0.1:1"), "stream": "EVENTS" });
        let all = "/api/v1/consumer";
        self.post(all, json!({ "uid": "queue", "kind": "nats", "config": config(QUEUE) })).await;
        let state = format!("{all}/queue/state");
        while self.call(Method::GET, &state, json!(null)).await["status"] != "failing" {
            tokio::task::yield_now().await;
        }
        let changed = json!({ "config": config(NEW_QUEUE) });
        self.call(Method::PATCH, &format!("{all}/queue"), changed).await;
        for (what, secret) in [("queue", QUEUE), ("new queue", NEW_QUEUE)] {
            self.add_secret(what, secret);
        }
    }

    /// Publishes, and checks that the deliveries carry the endpoint's header.
    async fn publish(&self, receiver: &Receiver, count: usize, header: &str) {
        let message = json!({ "eventType": "test.event", "payload": { "n": count } });
        self.post("/api/v1/app/acme/msg", message).await;
        let calls = receiver.until("ok", |calls| calls.len() == count).await;
        assert_eq!(calls.last().unwrap().header("authorization"), header);
    }

    async fn sources(&mut self, receiver: &Receiver) {
        let ask = json!({ "name": "G", "type": "gitlab", "secrets": [{ "key": GITLAB }] });
        let (id, url) = self.source("token of gitlab's URL", ask).await;
        let one = format!("/ingest/api/v1/source/{id}");
        self.post(&format!("{one}/endpoint"), json!({ "url": receiver.url("gitlab") })).await;
        let as_gitlab = |token: &str| Request::post(&url).header("x-gitlab-token", token);
        assert_eq!(send(as_gitlab(GITLAB), r#"{"n":1}"#).await.0, 200);
        assert_eq!(send(as_gitlab(GITLAB), r#"{"n":1}"#).await.0, 200);
        assert_eq!(send(as_gitlab(WRONG_GITLAB), "{}").await.0, 401);
        let odd = Request::post(&url).header("x-copy", GITLAB).header("x-original-url", &url);
        assert_eq!(send(odd, format!("in the body {GITLAB}")).await.0, 401);
        let calls = receiver.until("gitlab", |calls| !calls.is_empty()).await;
        assert!(!format!("{:?}", calls[0]).contains(GITLAB));
        self.post(&format!("{one}/secret/rotate"), json!({ "secret": NEW_GITLAB })).await;
        self.add_secret("gitlab", GITLAB);
        self.add_secret("new gitlab", NEW_GITLAB);
        self.add_secret("wrong gitlab", WRONG_GITLAB);
        let rotated = self.post(&format!("{one}/token/rotate"), json!({})).await;
        let url = rotated["ingestUrl"].as_str().unwrap();
        self.add_secret("rotated URL", url.rsplit('/').next().unwrap());
        let public = json!({ "publicUrl": url });
        self.call(Method::PATCH, &one, public).await;

        let parameters = json!({ "verify_token": META });
        let ask = json!({ "name": "M", "type": "meta", "parameters": parameters });
        let (_, url) = self.source("token of meta's URL", ask).await;
        for (token, expected) in [(META, 200), (WRONG_META, 401)] {
            let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1");
            assert_eq!(send(Request::get(format!("{url}?{query}")), "").await.0, expected);
        }
        self.add_secret("verify token", META);
        self.add_secret("wrong verify token", WRONG_META);

        let ask =
            json!({ "name": "MG", "type": "microsoft-graph", "secrets": [{ "key": GITLAB }] });
        let (_, url) = self.source("token of graph's URL", ask).await;
        let body = json!({ "value": [{ "clientState": GRAPH }] }).to_string();
        assert!((400..500).contains(&send(Request::post(url), body).await.0));
        self.add_secret("client state", GRAPH);

        let model = json!({ "verify": { "scheme": "shared_secret", "source": "form:pass" } });
        let ask = json!({
            "name": "C", "type": "custom", "model": model, "secrets": [{ "key": "another secret" }]
        });
        let (_, url) = self.source("token of the custom URL", ask).await;
        let body = format!("a=1&pass={CUSTOM}");
        assert!((400..500).contains(&send(Request::post(url), body).await.0));
        self.add_secret("password", CUSTOM);
    }

    /// Lists the rejected requests of the sources, which are stored by then.
    async fn logs(&self) -> String {
        let all = self.call(Method::GET, "/ingest/api/v1/source", json!(null)).await;
        let mut shown = String::new();
        for source in all["data"].as_array().unwrap() {
            let path = format!("/ingest/api/v1/source/{}/log", source["id"].as_str().unwrap());
            shown += &self.call(Method::GET, &path, json!(null)).await.to_string();
        }
        shown
    }
}

async fn send(request: http::request::Builder, body: impl Into<Bytes>) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = request.body(Full::new(body.into())).unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Encodings in which a secret might be stored.
fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(secret).unwrap();
    let mut all = vec![secret.to_owned(), json.trim_matches('"').to_owned()];
    let hex = hex(secret.as_bytes());
    all.extend([hex.to_uppercase(), hex]);
    // Base64 depends on the offset modulo three; the characters at both ends also depend on the
    // neighbouring bytes.
    for behind in 0..3 {
        let bytes = [&b"xx"[..behind], secret.as_bytes()].concat();
        let begin = [0, 2, 3][behind];
        let end = bytes.len() * 4 / 3 - 1;
        for engine in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD] {
            all.push(engine.encode(&bytes).get(begin..end).unwrap().to_owned());
        }
    }
    all.into_iter().map(String::into_bytes).collect()
}

#[track_caller]
fn check_contains_no_secret(what: &str, bytes: &[u8], secrets: &BTreeMap<&'static str, String>) {
    for (name, secret) in secrets {
        for spelling in encodings(secret) {
            let found = bytes.windows(spelling.len()).position(|it| it == spelling);
            let around = |at: usize| {
                let around = &bytes[at.saturating_sub(100)..bytes.len().min(at + 100)];
                String::from_utf8_lossy(around).into_owned()
            };
            assert!(found.is_none(), "{what} has `{name}`: {}", around(found.unwrap_or(0)));
        }
    }
}

/// All files of a folder except those with the installation's own secrets.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_kept = ["jwt-secret", "main-secret"].iter().any(|it| path.ends_with(it));
        if path.is_dir() {
            found.extend(files(&path));
        } else if !is_kept {
            found.push(path);
        }
    }
    found
}

fn check_files(folder: &Path, secrets: &BTreeMap<&'static str, String>) -> usize {
    let all = files(folder);
    for path in &all {
        check_contains_no_secret(
            &path.display().to_string(),
            &fs::read(path).unwrap_or_default(),
            secrets,
        );
    }
    all.len()
}

/// Uses every feature that stores a secret.
async fn use_everything(server: Server) -> Fixture {
    let receiver = Receiver::start().await;
    let mut used = Fixture { server, secrets: BTreeMap::new() };
    let organization = used.server.token.clone();
    used.add_secret("organization", &organization);
    let data = used.server.folder.path().join("data");
    for (what, name) in [("jwt secret", "jwt-secret"), ("main secret", "main-secret")] {
        let secret = fs::read_to_string(data.join(name)).unwrap();
        used.add_secret(what, secret.trim());
    }
    used.endpoints(&receiver).await;
    used.sources(&receiver).await;
    used.kinds().await;
    if cfg!(feature = "full") {
        used.consumer().await;
    }
    let shown = used.logs().await;
    assert!(shown.contains("[hidden]"), "{shown}");
    let credentials = [GITLAB, WRONG_GITLAB, WRONG_META, GRAPH, CUSTOM];
    assert!(!credentials.iter().any(|it| shown.contains(it)), "{shown}");
    used
}

#[tokio::test]
async fn the_data_folder_a_backup_and_the_log_contain_no_plaintext_secret() {
    let mut used = use_everything(Server::embedded(&[LOG])).await;
    let folder = used.server.folder.path().to_owned();
    let backup = postrider(&["backup", "--data"])
        .arg(folder.join("data"))
        .arg(folder.join("backup"))
        .output()
        .unwrap();
    assert!(backup.status.success());
    let data = fs::read(folder.join("data/postrider.db-wal")).unwrap();
    assert!(!data.is_empty(), "the log of the database is looked at, too");
    assert!(check_files(&folder, &used.secrets) >= 8);
    check_private(&folder.join("data"));
    check_private(&folder.join("backup"));
    used.server.terminate();
    check_files(&folder, &used.secrets);
}

#[tokio::test]
async fn the_database_contains_no_plaintext_secret() {
    let schema = Arc::new(Schema::create());
    let used = use_everything(Server::on_database(&schema, &[LOG])).await;
    let dump = schema.dump();
    assert!(dump.contains("test.event") && dump.len() > 4_096, "{dump}");
    check_contains_no_secret("the database", dump.as_bytes(), &used.secrets);
    check_files(used.server.folder.path(), &used.secrets);
}

#[track_caller]
fn check_private(folder: &Path) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    let all: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(all.len() >= 3);
    for path in all {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

/// Runs the binary with umask 0.
fn unmasked(line: &str, folder: &Path) -> std::process::Output {
    let binary = env!("CARGO_BIN_EXE_postrider");
    let line = format!("umask 000; exec '{binary}' {line}");
    Command::new("sh").args(["-c", &line]).current_dir(folder).output().unwrap()
}

#[test]
fn created_files_are_private_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    unmasked("token create --data new/data", folder.path());
    let created = fs::metadata(folder.path().join("new/data")).unwrap();
    assert_eq!(created.permissions().mode() & 0o777, 0o700);
    let server = Server::embedded(&[]);
    let kept = Arc::clone(&server.folder);
    let data = kept.path().join("data");
    unmasked(&format!("backup --data '{}' '{}/copy'", data.display(), data.display()), &data);
    check_private(&data.join("copy"));
    drop(server);
    let line = format!("copy --from '{}/copy' --to '{}/moved'", data.display(), data.display());
    let said = unmasked(&line, &data);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    check_private(&data.join("moved"));
}

#[test]
fn accessible_files_cause_a_warning_and_readable_secrets_are_rejected() {
    let mut server = Server::embedded(&[]);
    let data = server.folder.path().join("data");
    assert!(!server.log().contains("chmod"), "{}", server.log());
    server.terminate();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    server.restart();
    let expected = format!("chmod -R go-rwx {}", data.display());
    assert!(server.log().contains(&expected), "{}", server.log());
    server.terminate();
    let secret = data.join("main-secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).output();
    let said = String::from_utf8(refused.unwrap().stderr).unwrap();
    assert!(said.contains(&format!("run `chmod 600 {}`", secret.display())), "{said}");
    assert!(said.contains("hint: "), "{said}");
}

/// Waits until everything is encrypted with the current main secret.
async fn until_rotated(server: &Server) -> Value {
    until_async(|| server.get("/main-secret"), |it| it["complete"] == true).await
}

/// Stores everything as older versions did, with plaintext secrets.
struct StorePlaintext(Vault);

impl Rewrite for StorePlaintext {
    fn endpoint(&self, it: &Endpoint) -> Option<Endpoint> {
        let headers = AtRest::Clear(self.0.open_at_rest(&it.headers).unwrap());
        let config = AtRest::Clear(self.0.open_at_rest(&it.config).unwrap());
        Some(Endpoint { headers, config, ..it.clone() })
    }

    fn source(&self, it: &Source) -> Option<Source> {
        let url = it.public_url.as_ref().map(|it| self.0.open_at_rest(it).unwrap());
        Some(Source { public_url: url.map(AtRest::Clear), ..it.clone() })
    }

    fn consumer(&self, it: &Consumer) -> Option<Consumer> {
        let config = AtRest::Clear(self.0.open_at_rest(&it.config).unwrap());
        Some(Consumer { config, ..it.clone() })
    }

    fn response(&self, key: [u8; 32], response: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.open_under(&key, response.to_vec()).unwrap())
    }
}

/// Stores everything as older versions did; returns the check value of such a version.
async fn store_plaintext(store: &dyn Store, main: &str) -> Vec<u8> {
    let vault = Vault::new(main.trim());
    let (mut position, mut replaced) = (Some(RewritePosition::default()), 0);
    while let Some(at) = position {
        let page = store.rewrite(at, 3, Arc::new(StorePlaintext(vault.clone()))).await.unwrap();
        (position, replaced) = (page.next, replaced + page.replaced);
    }
    assert!(replaced > 10);
    store.forget_replaced().await.unwrap();
    store.close().await.unwrap();
    vault.seal(&SECRET.parse().unwrap(), [1; 24]).0
}

#[tokio::test]
async fn plaintext_of_an_older_version_is_encrypted_at_the_first_start() {
    let mut used = use_everything(Server::embedded(&[])).await;
    used.server.terminate();
    let data = used.server.folder.path().join("data");
    let store = EmbeddedStore::open(&data, &Options::default()).unwrap();
    let main = fs::read_to_string(data.join("main-secret")).unwrap();
    let specimen = store_plaintext(&store, &main).await;
    drop(store);
    fs::write(data.join("main-secret.check"), specimen).unwrap();
    let clear = fs::read(data.join("postrider.db")).unwrap();
    for text in [NEW_HEADER, ROTATED] {
        let is_there = clear.windows(text.len()).any(|it| it == text.as_bytes());
        assert!(is_there, "{text} is stored as older versions did");
    }
    used.server.restart();
    until_rotated(&used.server).await;
    check_files(&data, &used.secrets);
    used.server.terminate();
    check_files(&data, &used.secrets);
}

#[tokio::test]
async fn plaintext_of_an_older_version_in_a_database_is_encrypted_too() {
    let schema = Arc::new(Schema::create());
    let mut used = use_everything(Server::on_database(&schema, &[])).await;
    used.server.terminate();
    let main = fs::read_to_string(used.server.folder.path().join("data/main-secret")).unwrap();
    let options = PostgresOptions { url: schema.url.clone(), ..PostgresOptions::default() };
    let store = PostgresStore::open(options).await.unwrap();
    let specimen = store_plaintext(&store, &main).await;
    drop(store);
    let hex = hex(&specimen);
    let sql = "UPDATE installation SET value =";
    schema.run(&format!("{sql} decode('{hex}', 'hex') WHERE name = 'main_secret'"));
    assert!(schema.dump().contains(NEW_HEADER), "the header is stored as older versions did");
    used.server.restart();
    until_rotated(&used.server).await;
    check_contains_no_secret("the database", schema.dump().as_bytes(), &used.secrets);
}

#[tokio::test]
async fn the_secrets_of_a_database_can_be_rotated() {
    const NEW: [&str; 2] =
        ["a new secret with more than 32 bytes", "and another with more than 32 bytes"];
    let schema = Arc::new(Schema::create());
    let mut first = Server::on_database(&schema, &[]);
    let data = first.folder.path().join("data");
    let kept = |name: &str| fs::read_to_string(data.join(name)).unwrap().trim().to_owned();
    let old = [kept("main-secret"), kept("jwt-secret")];
    first.application("acme").await;
    let ask = json!({ "url": "https://example.com/", "uid": "e" });
    first.post("/app/acme/endpoint", ask).await;
    let secret = first.get("/app/acme/endpoint/e/secret").await;
    first.terminate();
    let lists =
        |first: &[&str; 2], second: &[&str; 2]| [0, 1].map(|at| [first[at], second[at]].join(","));
    let (old, none) = (old.each_ref().map(String::as_str), ["", ""]);
    let another = Arc::new(tempfile::tempdir().unwrap());
    for [main, jwt] in [lists(&old, &NEW), lists(&NEW, &old), lists(&NEW, &none)] {
        let given: [(&'static str, &str); 2] =
            [("POSTRIDER_MAIN_SECRET", &main), ("POSTRIDER_JWT_SECRET", &jwt)];
        let server = postrider(&["token", "create", "--data"])
            .arg(another.path().join("data"))
            .envs(given)
            .env("POSTRIDER_DATABASE_URL", &schema.url)
            .output()
            .unwrap();
        assert!(server.status.success(), "{}", String::from_utf8_lossy(&server.stderr));
        let token = String::from_utf8(server.stdout).unwrap().trim().to_owned();
        let mut server = Server::on_store(&first.folder, Some(&schema), &given);
        server.token = token;
        assert_eq!(server.get("/app/acme/endpoint/e/secret").await, secret);
        until_rotated(&server).await;
        server.terminate();
    }
}

#[tokio::test]
async fn the_secrets_of_a_data_folder_can_be_rotated() {
    const NEW: &str = "a new secret with more than 32 bytes";
    let receiver = Receiver::start().await;
    let mut server = Server::embedded(&[]);
    let data = server.folder.path().join("data");
    let kept = |name: &str| fs::read_to_string(data.join(name)).unwrap().trim().to_owned();
    let (main, jwt) = (kept("main-secret"), kept("jwt-secret"));
    server.application("acme").await;
    let headers = json!({ "authorization": HEADER });
    let ask = json!({ "url": receiver.url("ok"), "uid": "e", "headers": headers });
    server.post("/app/acme/endpoint", ask).await;
    let secret = server.get("/app/acme/endpoint/e/secret").await;
    let create = async |server: &Server| {
        let request = Request::post(format!("{}/api/v1/app", server.url))
            .header("authorization", format!("Bearer {}", server.token))
            .header("content-type", "application/json")
            .header("idempotency-key", "once");
        send(request, r#"{"name": "B"}"#).await
    };
    let created = create(&server).await;
    server.terminate();

    // With both secrets, the old ones still decrypt and verify.
    for (name, old) in [("main-secret", &main), ("jwt-secret", &jwt)] {
        fs::write(data.join(name), format!("{NEW} of {name}\n{old}\n")).unwrap();
    }
    server.restart();
    assert_eq!(server.get("/app/acme/endpoint/e/secret").await, secret);
    let former = std::mem::replace(&mut server.token, token(server.folder.path(), &[]));
    assert_eq!(server.get("/app/acme/endpoint/e/secret").await, secret);
    until_rotated(&server).await;
    server.terminate();

    // Then with the new secrets only.
    for name in ["main-secret", "jwt-secret"] {
        fs::write(data.join(name), format!("{NEW} of {name}\n")).unwrap();
    }
    server.restart();
    assert_eq!(server.get("/app/acme/endpoint/e/secret").await, secret);
    server.publish("acme", json!({ "n": 1 })).await;
    let calls = receiver.until("ok", |calls| calls.len() == 1).await;
    assert_eq!(calls[0].header("authorization"), HEADER);
    assert!(calls[0].is_verified(secret["key"].as_str().unwrap()));
    assert_eq!(create(&server).await, created, "the same response again");
    server.token = former;
    assert_eq!(server.call(Method::GET, "/app", None).await.unwrap().0, 401);
}

#[test]
fn short_secrets_are_rejected_with_a_suggestion() {
    for (name, key) in
        [("POSTRIDER_JWT_SECRET", "jwt_secret"), ("POSTRIDER_MAIN_SECRET", "main_secret")]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut command = postrider(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        let output = command.arg(folder.path().join("data")).env(name, "sesame").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!("error: `{key}` has 6 bytes, expected at least 32\nhint: ");
        assert!(said.contains(&expected) && said.contains("such as "), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn tokens_expire_unless_they_are_created_without_an_expiry() {
    let folder = tempfile::tempdir().unwrap();
    let claims = |more: &[&str]| {
        let token = token(folder.path(), more);
        let claims = token.split('.').nth(1).unwrap().to_owned();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()
    };
    let lifetime = |it: &Value| it["exp"].as_f64().unwrap() - it["iat"].as_f64().unwrap();
    let day = 24.0 * 60.0 * 60.0;
    assert!((lifetime(&claims(&[])) - 90.0 * day).abs() < 1.0);
    assert!((lifetime(&claims(&["--expires", "1d"])) - day).abs() < 1.0);
    assert!(claims(&["--expires", "never"]).get("exp").is_none());
}
