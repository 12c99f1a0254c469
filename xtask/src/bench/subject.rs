//! What is measured: the forwarder that stores nothing, and Postrider.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    generator::Order,
    payload,
    process::{Part, Process},
};

/// How long a server may take to answer first, with a long backlog too.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running forwarder that stores nothing.
#[derive(Debug)]
pub(crate) struct Naive {
    pub(crate) part: Part,
    pub(crate) order: Order,
    pub(crate) until_ready: Duration,
}

impl Naive {
    pub(crate) async fn start(target: &str) -> anyhow::Result<Self> {
        let mut part = Part::start(&["forwarder", target])?;
        let address = part.hear(PATIENCE).await?;
        let until_ready = part.process.started.elapsed();
        Ok(Self { part, order: Order::new(address, "/".to_owned()), until_ready })
    }
}

/// A running Postrider with one application.
#[derive(Debug)]
pub(crate) struct Postrider {
    pub(crate) process: Process,
    pub(crate) order: Order,
    pub(crate) data: PathBuf,
    address: SocketAddr,
    token: String,
    application: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Postrider {
    /// Starts it over an empty folder, with an application without endpoints.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<(Self, Duration)> {
        std::fs::create_dir_all(folder)?;
        let data = folder.to_owned();
        let address = free_address()?;
        let process = serve(&data, address)?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut postrider = Self {
            process,
            order: Order::new(address, String::new()),
            data,
            address,
            token: String::new(),
            application: String::new(),
            client,
        };
        let started = postrider.healthy().await?;
        postrider.token = postrider.create_token().await?;
        let application =
            postrider.call(Method::POST, "/api/v1/app", Some(json!({ "name": "bench" }))).await?;
        application["id"]
            .as_str()
            .context("no application id")?
            .clone_into(&mut postrider.application);
        postrider.order = postrider.order_of("bench.live");
        Ok((postrider, started))
    }

    /// Stops it politely and starts it again over the same folder; how long it took to
    /// stop, and to start.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<(Duration, Duration)> {
        let stopped = self.process.end().await?;
        let address = free_address()?;
        self.process = serve(&self.data, address)?;
        self.address = address;
        self.order.address = address;
        Ok((stopped, self.healthy().await?))
    }

    /// Requests that send events of this type.
    pub(crate) fn order_of(&self, event_type: &str) -> Order {
        let mut order = Order::new(self.address, format!("/api/v1/app/{}/msg", self.application));
        order.headers.push(("authorization".to_owned(), format!("Bearer {}", self.token)));
        order.around = (format!(r#"{{"eventType":"{event_type}","payload":"#), "}".to_owned());
        order
    }

    /// Adds an endpoint that wants events of this type.
    pub(crate) async fn add_endpoint(&self, url: &str, event_type: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/app/{}/endpoint", self.application);
        let body = json!({ "url": url, "filterTypes": [event_type] });
        self.call(Method::POST, &path, Some(body)).await.map(|_| ())
    }

    pub(crate) async fn add_event_type(&self, name: &str) -> anyhow::Result<()> {
        let body = json!({ "name": name, "description": "Sent by the benchmark." });
        self.call(Method::POST, "/api/v1/event-type", Some(body)).await.map(|_| ())
    }

    /// The last lines that it wrote.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
        let skipped = log.lines().count().saturating_sub(5);
        log.lines().skip(skipped).collect::<Vec<_>>().join("\n")
    }

    async fn create_token(&self) -> anyhow::Result<String> {
        let output = Command::new(program()?)
            .args(["token", "create", "--org", "org_bench", "--data"])
            .arg(&self.data)
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

    async fn healthy(&mut self) -> anyhow::Result<Duration> {
        while self.process.started.elapsed() < PATIENCE {
            ensure!(!self.process.has_ended(), "postrider ended: {}", self.log());
            let request = Request::get(format!("http://{}/api/v1/health", self.address))
                .body(Full::default())?;
            if let Ok(response) = self.client.request(request).await
                && response.status().is_success()
            {
                return Ok(self.process.started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("postrider does not become healthy")
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::from(body))?;
        let response = self.client.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

impl Order {
    fn new(address: SocketAddr, path: String) -> Self {
        Self {
            address,
            path,
            headers: Vec::new(),
            around: Default::default(),
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

fn serve(data: &Path, address: SocketAddr) -> anyhow::Result<Process> {
    let log = std::fs::File::create(data.with_extension("log"))?;
    Process::start(
        Command::new(program()?)
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .env("POSTRIDER_ALLOW_NETWORKS", "127.0.0.0/8")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log),
    )
}

/// An address that nobody listens on right now.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.local_addr()?)
}
