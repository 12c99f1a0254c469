//! A page in Chromium that reads a stream of another origin.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{
    Router,
    response::Html,
    routing::{get, post},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::timeout};

use crate::{live::Live, server::Server};

/// Chromium starts slowly on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Shows what arrives, and reports what it shows to its own server.
const PAGE: &str = r#"<!doctype html>
<title>Live</title>
<ul id="events"></ul>
<script>
  const show = text => {
    const item = document.createElement("li");
    item.textContent = text;
    document.getElementById("events").append(item);
    fetch("/shown", { method: "POST", body: document.getElementById("events").innerText });
  };
  const url = URL_OF_THE_STREAM;
  if (url.startsWith("ws")) {
    const socket = new WebSocket(url);
    socket.onmessage = message => {
      const { event, data } = JSON.parse(message.data);
      show(event === "message" ? `name ${data.payload.name}` : event);
    };
    socket.onerror = () => show("refused");
  } else {
    const stream = new EventSource(url);
    stream.onopen = () => show("open");
    stream.onmessage = message => show(`name ${JSON.parse(message.data).payload.name}`);
    stream.onerror = () => stream.readyState === EventSource.CLOSED && show("refused");
  }
</script>"#;

/// A page in a browser; both end when this is dropped.
struct Page {
    origin: String,
    shown: mpsc::Receiver<String>,
    browser: Option<(Child, TempDir)>,
    listener: Option<TcpListener>,
    tasks: JoinSet<()>,
}

impl Page {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (_, shown) = mpsc::channel(1);
        Self { origin, shown, browser: None, listener: Some(listener), tasks: JoinSet::new() }
    }

    /// Opens the page, which reads the stream at this URL.
    fn open(&mut self, stream: &str) {
        self.open_page(PAGE.replace("URL_OF_THE_STREAM", &json!(stream).to_string()), stream);
    }

    fn open_page(&mut self, page: String, stream: &str) {
        let url = json!({ "url": stream }).to_string();
        let (sender, shown) = mpsc::channel(100);
        self.shown = shown;
        let router = Router::new()
            .route("/", get(async move || Html(page)))
            .route("/stream-url", get(async move || url))
            .route("/shown", post(async move |text: String| drop(sender.send(text).await)));
        let listener = self.listener.take().unwrap();
        self.tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        let profile = format!("--user-data-dir={}", folder.path().display());
        let child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", &profile, &self.origin])
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium is installed (scripts/install)");
        self.browser = Some((child, folder));
    }

    /// Waits until the page shows the text.
    async fn shows(&mut self, text: &str) -> String {
        loop {
            let shown = timeout(PATIENCE, self.shown.recv()).await;
            let shown = shown.unwrap_or_else(|_| panic!("the page never shows {text}")).unwrap();
            if shown.contains(text) {
                return shown;
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.browser.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_shows_events_and_reconnects_by_itself() {
    let server = Server::embedded(&[("POSTRIDER_LIMITS__CONNECTION_MAX_AGE", "3s")]);
    let mut page = Page::new().await;
    let live = Live::create(&server, "acme", json!({ "allowedOrigins": [page.origin] })).await;
    page.open(&format!("{}{}", server.url, live.path(&server).await));
    page.shows("open").await;
    server.publish("acme", json!({ "name": "Ada" })).await;
    page.shows("name Ada").await;
    // The connection reaches its age, and the page comes back with the id of the last event.
    page.shows("name Ada\nopen").await;
    server.publish("acme", json!({ "name": "Grace" })).await;
    let shown = page.shows("name Grace").await;
    assert_eq!(shown.matches("name Ada").count(), 1, "{shown}");
}

#[tokio::test]
async fn a_page_shows_events_that_arrive_over_a_web_socket() {
    let server = Server::embedded(&[]);
    let mut page = Page::new().await;
    let live = Live::create(&server, "acme", json!({ "allowedOrigins": [page.origin] })).await;
    let url = format!("{}{}", server.url, live.path(&server).await);
    page.open(&url.replacen("http", "ws", 1));
    page.shows("open").await;
    server.publish("acme", json!({ "name": "Ada" })).await;
    page.shows("name Ada").await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let server = Server::embedded(&[]);
    let mut page = Page::new().await;
    let config = json!({ "allowedOrigins": ["https://a.example"] });
    let live = Live::create(&server, "acme", config).await;
    page.open(&format!("{}{}", server.url, live.path(&server).await));
    page.shows("refused").await;
}

/// Reports what a page shows whenever it changes.
const REPORT: &str = r#"<script>
  new MutationObserver(() => fetch("/shown", { method: "POST", body: document.body.innerText }))
    .observe(document.documentElement, { subtree: true, childList: true });
</script>"#;

#[tokio::test]
async fn the_page_of_the_documentation_works() {
    let document = include_str!("../../../../docs/endpoints/live.md");
    let (_, page) = document.split_once("```html\n").unwrap();
    let (page, _) = page.split_once("```").unwrap();
    let server = Server::embedded(&[]);
    let mut browser = Page::new().await;
    let config = json!({ "allowedOrigins": [browser.origin] });
    let live = Live::create(&server, "acme", config).await;
    let url = format!("{}{}", server.url, live.path(&server).await);
    browser.open_page(page.replacen("<ul", &format!("{REPORT}<ul"), 1), &url);
    live.has_readers(&server, 1).await;
    server.publish("acme", json!({ "name": "Ada" })).await;
    browser.shows("Ada").await;
}
