//! The example shop, in a browser.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::server::{MAX_WAIT, postrider, signal, wait};

/// A running example.
struct Shop {
    child: Child,
    url: String,
}

impl Shop {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/run");
        let own = postrider(&[]);
        let mut command = Command::new(script);
        for (name, value) in own.get_envs().filter(|(_, value)| value.is_none()) {
            assert!(value.is_none());
            command.env_remove(name);
        }
        let mut child = command
            .env("POSTRIDER", env!("CARGO_BIN_EXE_postrider"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("the example prints its URL").unwrap();
        let url = line.split(' ').find(|word| word.starts_with("http://")).unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        signal(self.child.id(), "TERM");
        wait(&mut self.child);
    }
}

/// A page in Chromium, driven over the `DevTools` protocol.
struct Browser {
    child: Child,
    _profile: TempDir,
    devtools: WebSocketStream<tokio::net::TcpStream>,
    last_id: u64,
}

impl Browser {
    async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Chromium is installed (scripts/install)");
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let line = lines.find(|line| line.contains("DevTools listening on ws://")).unwrap();
        let address = line.split("ws://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        // The rest is read too, so that the browser never waits for its log to be read.
        std::thread::spawn(move || lines.for_each(drop));
        let path = page_path(&address);
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let (devtools, _) = client_async(format!("ws://{address}{path}"), stream).await.unwrap();
        Self { child, _profile: profile, devtools, last_id: 0 }
    }

    async fn send(&mut self, method: &str, params: Value) {
        self.last_id += 1;
        let call = json!({ "id": self.last_id, "method": method, "params": params });
        self.devtools.send(Message::text(call.to_string())).await.unwrap();
    }

    /// Waits for a response or an event.
    async fn receive(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let received = tokio::time::timeout(MAX_WAIT, self.devtools.next()).await;
            let message = received.expect("the page does what is expected").unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let value: Value = serde_json::from_str(&text).unwrap();
            if is_wanted(&value) {
                return value;
            }
        }
    }

    async fn open(&mut self, url: &str) {
        self.send("Page.enable", json!({})).await;
        self.send("Page.navigate", json!({ "url": url })).await;
        self.receive(|value| value["method"] == "Page.loadEventFired").await;
    }

    /// The value of a promise in the page.
    async fn value_of(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        self.send("Runtime.evaluate", params).await;
        let id = self.last_id;
        let mut response = self.receive(|value| value["id"] == id).await;
        assert!(response["result"]["exceptionDetails"].is_null(), "{response}");
        response["result"]["result"]["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The path of the first page in the browser's list.
fn page_path(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(MAX_WAIT)).unwrap();
    write!(stream, "GET /json/list HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    // The browser keeps the connection open, so the length says where the response ends.
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let pages: Value = serde_json::from_slice(&body).unwrap();
    let page = pages.as_array().unwrap().iter().find(|it| it["type"] == "page").unwrap();
    let url = page["webSocketDebuggerUrl"].as_str().unwrap();
    url.split_once(address).unwrap().1.to_owned()
}

/// Presses the button when the stream is open; resolves when every list has an entry.
const ORDER: &str = r#"(async () => {
    if (stream.readyState !== EventSource.OPEN) {
        await new Promise(resolve => stream.addEventListener("open", resolve));
    }
    const lists = ["live", "orders", "mail", "chat", "partner"];
    const filled = new Promise(resolve => {
        const check = () => {
            const texts = lists.map(id => document.getElementById(id).innerText);
            if (texts.every(text => text !== "")) resolve(texts);
        };
        new MutationObserver(check).observe(document.body, { subtree: true, childList: true });
    });
    document.getElementById("order").click();
    const texts = await filled;
    return { status: document.getElementById("status").innerText, texts };
})()"#;

#[tokio::test]
async fn one_webhook_has_six_effects() {
    let shop = Shop::start();
    let mut browser = Browser::start().await;
    browser.open(&shop.url).await;
    let effects = browser.value_of(ORDER).await;
    assert_eq!(effects["status"], "Accepted.", "the webhook is acknowledged");
    let text = |index: usize| effects["texts"][index].as_str().unwrap();
    let reference = text(0).strip_prefix("checkout.session.completed ").unwrap();
    assert!(reference.starts_with("order-"), "{reference}");
    assert!(text(1).ends_with("42.5 eur, ada@example.com"), "{}", text(1));
    assert_eq!(text(2), format!("to ada@example.com: Your order {reference}"));
    assert_eq!(text(3), format!("New order {reference} of Ada Example"));
    assert!(text(4).ends_with(": signature verified"), "{}", text(4));
}
