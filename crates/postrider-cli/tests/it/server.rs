//! A running `postrider serve`, and a client of its API.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::schema::Schema;

/// Maximum wait for anything; a test that waits longer has failed.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);

/// The binary, without the settings in the environment.
pub(crate) fn postrider(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if ["POSTRIDER_", "OTEL_"].iter().any(|prefix| name_text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) folder: Arc<TempDir>,
    pub(crate) url: String,
    pub(crate) token: String,
    child: Child,
    settings: Vec<(&'static str, String)>,
    /// The server's database schema, if it runs on PostgreSQL.
    schema: Option<Arc<Schema>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Settings with short waits, which allow receivers on this machine.
fn defaults() -> Vec<(&'static str, String)> {
    let settings = [
        ("POSTRIDER_LISTEN", "127.0.0.1:0"),
        ("POSTRIDER_ALLOW_NETWORKS", "127.0.0.0/8"),
        ("POSTRIDER_RETRY_SCHEDULE", "100ms,200ms,300ms"),
        ("POSTRIDER_REQUEST_TIMEOUT", "2s"),
        ("POSTRIDER_LIMITS__POLL", "100ms"),
        ("POSTRIDER_LIMITS__NODE_LEASE", "2s"),
        ("POSTRIDER_BREAKER__REST", "50ms"),
        ("POSTRIDER_BREAKER__REST_MAX", "100ms"),
    ];
    settings.map(|(name, value)| (name, value.to_owned())).to_vec()
}

impl Server {
    /// Starts a server with a new folder.
    pub(crate) fn start() -> Self {
        Self::with_variables(&[])
    }

    /// Starts a server with a new folder and these variables.
    pub(crate) fn with_variables(variables: &[(&'static str, &str)]) -> Self {
        Self::on_folder(tempfile::tempdir().unwrap(), variables)
    }

    /// Starts a server on an existing folder with these variables.
    pub(crate) fn on_folder(folder: TempDir, variables: &[(&'static str, &str)]) -> Self {
        let mut settings = defaults();
        settings.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::launch_on(Arc::new(folder), settings, Schema::if_selected().map(Arc::new))
    }

    /// Starts a server on a new folder, even if this run tests PostgreSQL.
    pub(crate) fn embedded(variables: &[(&'static str, &str)]) -> Self {
        let mut settings = defaults();
        settings.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::launch_on(Arc::new(tempfile::tempdir().unwrap()), settings, None)
    }

    /// Starts a server on a database, with a new folder for the secrets.
    pub(crate) fn on_database(schema: &Arc<Schema>, variables: &[(&'static str, &str)]) -> Self {
        let mut settings = defaults();
        settings.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::launch_on(Arc::new(tempfile::tempdir().unwrap()), settings, Some(Arc::clone(schema)))
    }

    /// Starts a server with this folder, which only contains the secrets if there is a database.
    pub(crate) fn on_store(
        folder: &Arc<TempDir>,
        schema: Option<&Arc<Schema>>,
        variables: &[(&'static str, &str)],
    ) -> Self {
        let mut settings = defaults();
        settings.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::launch_on(Arc::clone(folder), settings, schema.map(Arc::clone))
    }

    fn launch_on(
        folder: Arc<TempDir>,
        mut settings: Vec<(&'static str, String)>,
        schema: Option<Arc<Schema>>,
    ) -> Self {
        settings.extend(schema.iter().map(|it| ("POSTRIDER_DATABASE_URL", it.url.clone())));
        let (child, url) = launch(folder.path(), &["serve", "--data"], &settings);
        let token = token(folder.path(), &[]);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { folder, url, token, child, settings, schema, client }
    }

    /// Everything that the server stores, as bytes to search.
    pub(crate) fn stored(&self) -> Vec<u8> {
        if let Some(schema) = &self.schema {
            return schema.dump().into_bytes();
        }
        let files = ["postrider.db", "postrider.db-wal"]
            .map(|name| self.folder.path().join("data").join(name));
        files.iter().filter(|file| file.exists()).flat_map(|file| fs::read(file).unwrap()).collect()
    }

    /// Kills the server and starts it again on the same folder.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Terminates the server and waits for its exit.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.process(), name);
    }

    /// The process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Starts the server again after its exit.
    pub(crate) fn restart(&mut self) {
        self.restart_with(&["serve", "--data"]);
    }

    /// Starts the server again after its exit with these arguments, followed by the folder.
    pub(crate) fn restart_with(&mut self, arguments: &[&str]) {
        (self.child, self.url) = launch(self.folder.path(), arguments, &self.settings);
    }

    /// Sets a variable for the next start.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_owned()));
    }

    /// Everything that the server wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Calls the API below `/api/v1`.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> ApiResult {
        self.caller().call(method, path, body).await
    }

    /// Posts to the API of sources; the response must be 2xx.
    pub(crate) async fn ingest(&self, path: &str, body: Value) -> Value {
        let path = format!("/ingest/api/v1{path}");
        let response = self.caller().respond_at(Method::POST, &path, body.to_string()).await;
        let response = response.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{path} responded with {status}: {body:?}");
        serde_json::from_slice(&body).unwrap()
    }

    /// A client that tasks can own.
    pub(crate) fn caller(&self) -> Caller {
        let Self { url, token, client, .. } = self;
        Caller { url: url.clone(), token: token.clone(), client: client.clone() }
    }

    /// Status and `Retry-After` of the response to a call below `/api/v1`.
    pub(crate) async fn retry_after(&self, method: Method, path: &str) -> (u16, Option<String>) {
        let body = match (method.as_str(), path) {
            ("POST", "/app") => json!({ "name": "x" }).to_string(),
            ("POST", _) => json!({ "eventType": "test.event", "payload": {} }).to_string(),
            _ => String::new(),
        };
        let response = self.caller().respond(method, path, body).await.unwrap();
        let header = response.headers().get("retry-after");
        let header = header.map(|it| it.to_str().unwrap().to_owned());
        (response.status().as_u16(), header)
    }

    /// Posts a body unchanged.
    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Value {
        let (status, response) =
            self.caller().send(Method::POST, path, body.to_owned()).await.unwrap();
        assert!((200..300).contains(&status), "{path} responded with {status}: {response}");
        response
    }

    /// Calls the API; the response must be 2xx.
    #[track_caller]
    pub(crate) fn must(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let (status, response) = self.call(method, path, body).await.unwrap();
            assert!(
                (200..300).contains(&status),
                "{place}: {path} responded with {status}: {response}"
            );
            response
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.must(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.must(Method::POST, path, Some(body)).await
    }

    /// Creates an application and the event type `test.event`.
    pub(crate) async fn application(&self, uid: &str) {
        self.post("/app", json!({ "name": uid, "uid": uid })).await;
        let event_type = json!({ "name": "test.event", "description": "An event of a test." });
        // It may exist from another application of the same test.
        self.call(Method::POST, "/event-type", Some(event_type)).await.unwrap();
    }

    /// Creates an endpoint; returns its id and secret.
    pub(crate) async fn endpoint(&self, application: &str, url: &str) -> (String, String) {
        let path = format!("/app/{application}/endpoint");
        let endpoint = self.post(&path, json!({ "url": url })).await;
        let id = endpoint["id"].as_str().unwrap().to_owned();
        let secret = self.get(&format!("{path}/{id}/secret")).await;
        (id, secret["key"].as_str().unwrap().to_owned())
    }

    /// Publishes an event; returns the id of the message.
    pub(crate) async fn publish(&self, application: &str, payload: Value) -> String {
        let body = json!({ "eventType": "test.event", "payload": payload });
        let message = self.post(&format!("/app/{application}/msg"), body).await;
        message["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Status and body of a response.
pub(crate) type ApiResult = Result<(u16, Value), BoxError>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Calls a server's API.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    url: String,
    token: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Caller {
    /// Calls another server with the same token.
    pub(crate) fn at(self, server: &Server) -> Self {
        Self { url: server.url.clone(), ..self }
    }

    /// Host and port of the server.
    pub(crate) fn authority(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// Calls the same server with another token.
    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token, ..self }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> ApiResult {
        self.send(method, path, body.map(|it| it.to_string()).unwrap_or_default()).await
    }

    async fn send(&self, method: Method, path: &str, body: String) -> ApiResult {
        let response = self.respond(method, path, body).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    pub(crate) async fn respond(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Response<Incoming>, BoxError> {
        self.respond_at(method, &format!("/api/v1{path}"), body).await
    }

    async fn respond_at(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Response<Incoming>, BoxError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(body.into()))?;
        Ok(tokio::time::timeout(MAX_WAIT, self.client.request(request)).await??)
    }
}

/// A token for the server with this data folder.
pub(crate) fn token(folder: &Path, more: &[&str]) -> String {
    let data = folder.join("data");
    let mut command = postrider(&["token", "create", "--data"]);
    let output = command.arg(data).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Starts the binary and waits until it prints its address.
fn launch(
    folder: &Path,
    arguments: &[&str],
    settings: &[(&'static str, String)],
) -> (Child, String) {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut child = postrider(arguments)
        .arg(folder.join("data"))
        .current_dir(folder)
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let log = || fs::read_to_string(folder.join("log")).unwrap();
    let is_url = |it: &&str| it.starts_with("http://") || it.starts_with("https://");
    let url = line.split_whitespace().find(is_url);
    let url = url.unwrap_or_else(|| panic!("it said {line:?} and logged {}", log()));
    (child, url.trim_end_matches(',').to_owned())
}

/// Sends a signal. Uses the `kill` of a shell, because not every machine has it as a program.
pub(crate) fn signal(process: u32, name: &str) {
    let line = format!("kill -s {name} {process}");
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

/// Waits for the exit of a process.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("the process ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// Polls a condition outside this process.
#[expect(clippy::disallowed_methods, reason = "a deadline in real time")]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + MAX_WAIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Repeats a request until the response matches.
#[expect(clippy::disallowed_methods, reason = "a deadline in real time")]
#[track_caller]
pub(crate) fn until_async<F: Future<Output = Value>>(
    mut ask: impl FnMut() -> F,
    is_so: impl Fn(&Value) -> bool,
) -> impl Future<Output = Value> {
    let place = std::panic::Location::caller();
    let deadline = Instant::now() + MAX_WAIT;
    async move {
        loop {
            let response = ask().await;
            if is_so(&response) {
                return response;
            }
            assert!(Instant::now() < deadline, "{place}: the last response was {response}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
