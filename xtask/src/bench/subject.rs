//! What is measured: the forwarder that stores nothing, and Postrider.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    generator::Order,
    load::Target,
    payload,
    place::Place,
    process::{self, Part, Process},
    tenant, webhook,
};

/// How long a server may take to answer first, with a long backlog too.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The nodes share it. It protects no real data.
const SECRET: &str = "a secret of the benchmark that protects nothing";

/// A running forwarder that stores nothing.
#[derive(Debug)]
pub(crate) struct Naive {
    pub(crate) part: Part,
    pub(crate) order: Order,
    pub(crate) until_ready: Duration,
}

impl Naive {
    pub(crate) fn target(&self) -> Target<'_> {
        let nodes = std::slice::from_ref(&self.part.process);
        Target { nodes, database: None, order: &self.order }
    }

    pub(crate) async fn start(target: &str) -> anyhow::Result<Self> {
        let mut part = Part::start(&["forwarder", target])?;
        let address = part.read_line(TIMEOUT).await?;
        let until_ready = part.process.started.elapsed();
        Ok(Self { part, order: Order::new(vec![address], "/".to_owned()), until_ready })
    }
}

/// A running Postrider with one application: one process or several with one database.
#[derive(Debug)]
pub(crate) struct Postrider {
    pub(crate) place: Place,
    pub(crate) nodes: Vec<Process>,
    pub(crate) order: Order,
    /// Where each node serves its metrics.
    metrics: Vec<SocketAddr>,
    token: String,
    application: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Postrider {
    /// Starts it in a new place, with an application without endpoints.
    pub(crate) async fn start(place: Place) -> anyhow::Result<(Self, Duration)> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut postrider = Self {
            place,
            nodes: Vec::new(),
            order: Order::new(Vec::new(), String::new()),
            metrics: Vec::new(),
            token: String::new(),
            application: String::new(),
            client,
        };
        let started = postrider.start_nodes().await?;
        postrider.token = postrider.create_token("org_bench").await?;
        let application =
            postrider.call(Method::POST, "/api/v1/app", Some(json!({ "name": "bench" }))).await?;
        application["id"]
            .as_str()
            .context("no application id")?
            .clone_into(&mut postrider.application);
        postrider.order = postrider.order_of("bench.live");
        Ok((postrider, started))
    }

    /// Stops it with a signal and starts it again with the same data. Returns how long stopping
    /// and starting took.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<(Duration, Duration)> {
        let mut stopped = Duration::ZERO;
        for node in &mut self.nodes {
            stopped += node.end().await?;
        }
        Ok((stopped, self.start_nodes().await?))
    }

    /// Kills it and starts it again with the same data. Returns how long starting took.
    pub(crate) async fn kill_and_start(&mut self) -> anyhow::Result<Duration> {
        for node in &mut self.nodes {
            node.kill().await?;
        }
        self.start_nodes().await
    }

    /// Ends it and removes its data.
    pub(crate) async fn remove(mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            node.end().await?;
        }
        match &self.place.database {
            Some(database) => database.remove().await,
            None => Ok(()),
        }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { nodes: &self.nodes, database: self.place.database.as_ref(), order: &self.order }
    }

    /// Starts each node when the one before it is ready; how long the slowest took.
    async fn start_nodes(&mut self) -> anyhow::Result<Duration> {
        self.nodes.clear();
        self.order.addresses.clear();
        self.metrics.clear();
        let mut slowest = Duration::ZERO;
        for node in 0..self.place.setup.nodes {
            let (address, metrics) = (free_address()?, free_address()?);
            self.nodes.push(self.place.serve(node, address, metrics)?);
            self.order.addresses.push(address);
            self.metrics.push(metrics);
            slowest = slowest.max(self.healthy(node).await?);
        }
        Ok(slowest)
    }

    /// Bytes that its data occupies on the disk.
    pub(crate) async fn disk_bytes(&self) -> anyhow::Result<u64> {
        match &self.place.database {
            Some(database) => database.bytes().await,
            None => process::disk_bytes(&self.place.data(0)),
        }
    }

    /// Resident memory in MiB of the node that has most: at most so far, and now.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<(f64, f64)> {
        let mut most = (0.0_f64, 0.0_f64);
        for node in &self.nodes {
            let (peak, now) = node.memory_mib()?;
            most = (most.0.max(peak), most.1.max(now));
        }
        Ok(most)
    }

    /// Requests that send events of this type.
    pub(crate) fn order_of(&self, event_type: &str) -> Order {
        let mut order = Order::new(
            self.order.addresses.clone(),
            format!("/api/v1/app/{}/msg", self.application),
        );
        order.headers.push(("authorization".to_owned(), format!("Bearer {}", self.token)));
        order.around = (format!(r#"{{"eventType":"{event_type}","payload":"#), "}".to_owned());
        order
    }

    /// The same, to each of the applications in turn.
    pub(crate) fn order_of_tenants(&self, event_type: &str, tenants: u64) -> Order {
        let path = format!("/api/v1/app/{}/msg", tenant::uid(0));
        Order { path, tenants, ..self.order_of(event_type) }
    }

    /// Makes a source with an endpoint; webhooks to it.
    pub(crate) async fn add_source(&self, url: &str) -> anyhow::Result<Order> {
        const SOURCES: &str = "/ingest/api/v1/source";
        let config = json!({ "secret": webhook::SECRET });
        let body = json!({ "name": "bench", "type": webhook::PROVIDER, "config": config });
        let source = self.call(Method::POST, SOURCES, Some(body)).await?;
        let id = source["id"].as_str().context("no source id")?;
        let endpoints = format!("{SOURCES}/{id}/endpoint");
        self.call(Method::POST, &endpoints, Some(json!({ "url": url }))).await?;
        let inbound = source["ingestUrl"].as_str().context("no URL of the source")?;
        let (_, token) = inbound.rsplit_once('/').context("the source's URL has no token")?;
        let order = Order::new(self.order.addresses.clone(), format!("/in/{token}"));
        Ok(Order { is_webhook: true, ..order })
    }

    /// Adds an endpoint that wants events of this type.
    pub(crate) async fn add_endpoint(&self, url: &str, event_type: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/app/{}/endpoint", self.application);
        let body = json!({ "url": url, "filterTypes": [event_type] });
        self.call(Method::POST, &path, Some(body)).await.map(|_| ())
    }

    /// Removes the endpoint with this URL, and waits until its deliveries are cancelled.
    pub(crate) async fn remove_endpoint(&self, url: &str) -> anyhow::Result<()> {
        let list = format!("/api/v1/app/{}/endpoint", self.application);
        let found = self.call(Method::GET, &list, None).await?;
        let endpoints = found["data"].as_array().context("no list of endpoints")?;
        let endpoint = endpoints.iter().find(|it| it["url"] == url).context("no such endpoint")?;
        let id = endpoint["id"].as_str().context("no endpoint id")?;
        self.call(Method::DELETE, &format!("{list}/{id}"), None).await.map(|_| ())
    }

    /// Adds an endpoint of a kind with its configuration; that of `http` is its URL.
    pub(crate) async fn add_endpoint_of_kind(
        &self,
        kind: &str,
        config: &Value,
        event_type: &str,
    ) -> anyhow::Result<()> {
        if let ("http", Some(url)) = (kind, config["url"].as_str()) {
            return self.add_endpoint(url, event_type).await;
        }
        let path = format!("/api/v1/app/{}/endpoint", self.application);
        let body = json!({ "kind": kind, "config": config, "filterTypes": [event_type] });
        self.call(Method::POST, &path, Some(body)).await.map(|_| ())
    }

    /// How many deliveries its nodes have made since they were started.
    pub(crate) async fn delivered(&self) -> anyhow::Result<f64> {
        const DELIVERED: &str = r#"postrider_attempts_total{result="delivered"}"#;
        let mut sum = 0.0;
        for address in &self.metrics {
            let request = Request::get(format!("http://{address}/metrics")).body(Full::default())?;
            let body = self.client.request(request).await?.into_body().collect().await?;
            let text = String::from_utf8(body.to_bytes().into())?;
            let value = text.lines().find_map(|line| line.strip_prefix(DELIVERED));
            // Absent before the first one.
            sum += value.map_or(Ok(0.0), |value| value.trim().parse::<f64>())?;
        }
        Ok(sum)
    }

    pub(crate) async fn add_event_type(&self, name: &str) -> anyhow::Result<()> {
        let body = json!({ "name": name, "description": "Sent by the benchmark." });
        self.call(Method::POST, "/api/v1/event-type", Some(body)).await.map(|_| ())
    }

    /// Changes the only endpoint, or what is below it.
    pub(crate) async fn patch_endpoint(&self, rest: &str, body: Value) -> anyhow::Result<()> {
        let list = format!("/api/v1/app/{}/endpoint", self.application);
        let found = self.call(Method::GET, &list, None).await?;
        let id = found["data"][0]["id"].as_str().context("there is no endpoint")?;
        self.call(Method::PATCH, &format!("{list}/{id}{rest}"), Some(body)).await.map(|_| ())
    }

    /// Changes an event type.
    pub(crate) async fn patch_event_type(&self, name: &str, body: Value) -> anyhow::Result<()> {
        let path = format!("/api/v1/event-type/{name}");
        self.call(Method::PATCH, &path, Some(body)).await.map(|_| ())
    }

    /// The last lines that a node wrote.
    fn log(&self, node: usize) -> String {
        let log = std::fs::read_to_string(self.place.log(node)).unwrap_or_default();
        let skipped = log.lines().count().saturating_sub(5);
        log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }

    /// A token of this organization.
    pub(crate) async fn create_token(&self, organization: &str) -> anyhow::Result<String> {
        let output = Command::new(program()?)
            .args(["token", "create", "--org", organization, "--data"])
            .arg(self.place.data(0))
            .env("POSTRIDER_JWT_SECRET", SECRET)
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "token create: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Sends messages of this type by the batch, as many as are wanted.
    pub(crate) async fn post_batches(
        &self,
        event_type: &str,
        messages: u64,
        batch: u64,
    ) -> anyhow::Result<()> {
        let payload: Value = serde_json::from_str(&payload::template())?;
        let message = json!({ "eventType": event_type, "payload": payload });
        let path = format!("/api/v1/app/{}/msg/batch", self.application);
        for from in (0..messages).step_by(usize::try_from(batch)?) {
            let count = usize::try_from(batch.min(messages - from))?;
            let body = json!({ "messages": vec![message.clone(); count] });
            self.call(Method::POST, &path, Some(body)).await?;
        }
        Ok(())
    }

    async fn healthy(&mut self, node: usize) -> anyhow::Result<Duration> {
        let started = self.nodes[node].started;
        let health = format!("http://{}/api/v1/health", self.order.addresses[node]);
        while started.elapsed() < TIMEOUT {
            ensure!(!self.nodes[node].has_ended(), "postrider ended: {}", self.log(node));
            let request = Request::get(&health).body(Full::default())?;
            if let Ok(response) = self.client.request(request).await
                && response.status().is_success()
            {
                return Ok(started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("postrider does not become healthy")
    }

    /// Posts a body with these headers; the status of the response.
    pub(crate) async fn status_of(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<StatusCode> {
        let mut request = Request::post(format!("http://{}{path}", self.order.addresses[0]))
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::from(body.to_owned()))?).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder().method(method).uri(self.url(path));
        self.send(&self.token, path, request.body(Full::from(body))?).await
    }

    /// Reads with another token.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> anyhow::Result<Value> {
        self.send(token, path, Request::get(self.url(path)).body(Full::default())?).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.order.addresses[0])
    }

    async fn send(
        &self,
        token: &str,
        path: &str,
        mut request: Request<Full<Bytes>>,
    ) -> anyhow::Result<Value> {
        let bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        let response = self.client.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

impl Order {
    fn new(addresses: Vec<SocketAddr>, path: String) -> Self {
        Self {
            addresses,
            path,
            headers: Vec::new(),
            around: Default::default(),
            is_webhook: false,
            tenants: 0,
            connections: 64,
            rate: None,
            seconds: 1.0,
            limit: u64::MAX / 2,
            first: 0,
        }
    }
}

fn program() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("postrider"))
}

impl Place {
    /// What a filler is told.
    pub(crate) fn target(&self) -> anyhow::Result<String> {
        match &self.database {
            Some(database) => Ok(database.url()),
            None => Ok(self.data(0).to_str().context("the path is not text")?.to_owned()),
        }
    }

    fn data(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("node-{node}"))
    }

    fn log(&self, node: usize) -> PathBuf {
        self.data(node).with_extension("log")
    }

    fn serve(
        &self,
        node: usize,
        address: SocketAddr,
        metrics: SocketAddr,
    ) -> anyhow::Result<Process> {
        let data = self.data(node);
        std::fs::create_dir_all(&data)?;
        let log = std::fs::File::create(self.log(node))?;
        let mut command = Command::new(program()?);
        command
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .env("POSTRIDER_ALLOW_NETWORKS", "127.0.0.0/8")
            .env("POSTRIDER_METRICS_LISTEN", metrics.to_string())
            .env("POSTRIDER_JWT_SECRET", SECRET)
            .env("POSTRIDER_MAIN_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(database) = &self.database {
            command.env("POSTRIDER_DATABASE_URL", database.url());
        }
        if let Some(shards) = self.shards {
            command.env("POSTRIDER_SHARDS", shards.to_string());
        }
        Process::start(&mut command)
    }
}

/// An unused address of this host.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?)
}
