//! A chat service on a real socket that responds as the services document.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};

/// Which service the stand-in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Slack,
    Discord,
    Teams,
    Telegram,
}

/// A request that the stand-in received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub path: String,
    pub body: Value,
    pub at: Instant,
}

/// The stand-in. It accepts a message per interval, and refuses others with the time that is left.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    service: Service,
    interval: Duration,
    open_at: Mutex<Option<Instant>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl StandIn {
    pub(crate) async fn start(service: Service, interval: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let state = Arc::new(State {
            service,
            interval,
            open_at: Mutex::default(),
            received: Arc::clone(&received),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&state)));
            }
        });
        Self { address, received, _tasks: tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut buffer = Vec::new();
    loop {
        let Some((path, body)) = request(&mut stream, &mut buffer).await else { return };
        let received = Received { path, body, at: Instant::now() };
        state.received.lock().unwrap().push(received.clone());
        let (status, headers, body) = state.response(&received);
        let head =
            format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The path and the body of the next request.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Value)> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = |line: &str| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            };
            let length: usize = head.lines().find_map(length).unwrap();
            if rest.len() >= length {
                buffer.clear();
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return Some((path, serde_json::from_str(rest).unwrap()));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

impl State {
    fn response(&self, received: &Received) -> (u16, String, String) {
        if let Some(error) = self.error(received) {
            return error;
        }
        let mut open_at = self.open_at.lock().unwrap();
        if let Some(wait) = open_at.and_then(|at| at.checked_duration_since(received.at))
            && !wait.is_zero()
        {
            return self.too_early(wait);
        }
        *open_at = Some(received.at + self.interval);
        match self.service {
            Service::Slack => (200, String::new(), "ok".to_owned()),
            Service::Discord => (200, String::new(), json!({ "id": "7" }).to_string()),
            Service::Teams => (202, String::new(), String::new()),
            Service::Telegram => {
                let body = json!({ "ok": true, "result": { "message_id": 9 } });
                (200, String::new(), body.to_string())
            },
        }
    }

    fn too_early(&self, wait: Duration) -> (u16, String, String) {
        // Whole seconds, rounded up, as in the services' headers.
        let seconds = wait.as_millis().div_ceil(1_000);
        let header = format!("retry-after: {seconds}\r\n");
        match self.service {
            Service::Slack => (429, header, "rate_limited".to_owned()),
            Service::Teams => (429, header, String::new()),
            Service::Discord => {
                let body = json!({
                    "message": "You are being rate limited.",
                    "retry_after": wait.as_secs_f64(),
                    "global": false,
                });
                (429, header, body.to_string())
            },
            Service::Telegram => (
                429,
                String::new(),
                telegram_error(429, "Too Many Requests", &json!({ "retry_after": seconds })),
            ),
        }
    }

    /// What the service refuses at any time.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others get the same response")]
    fn error(&self, received: &Received) -> Option<(u16, String, String)> {
        let text = |status: u16, body: &str| Some((status, String::new(), body.to_owned()));
        let empty = |field: &str| received.body[field].as_str().is_some_and(str::is_empty);
        let is_gone = received.path.contains("gone");
        match self.service {
            Service::Slack if is_gone => text(404, "no_service"),
            Service::Slack if empty("text") => text(400, "no_text"),
            Service::Discord if is_gone => {
                text(404, r#"{"message":"Unknown Webhook","code":10015}"#)
            },
            Service::Discord if empty("content") => {
                text(400, r#"{"message":"Cannot send an empty message","code":50006}"#)
            },
            Service::Teams if is_gone => text(404, r#"{"error":{"code":"WorkflowNotFound"}}"#),
            Service::Telegram if is_gone => {
                text(401, &telegram_error(401, "Unauthorized", &json!({})))
            },
            Service::Telegram if received.path.ends_with("getMe") => {
                text(200, r#"{"ok":true,"result":{"is_bot":true}}"#)
            },
            Service::Telegram if received.body["chat_id"] == "-5" => {
                let moved = json!({ "migrate_to_chat_id": -1007 });
                let said = "Bad Request: group chat was upgraded to a supergroup chat";
                text(400, &telegram_error(400, said, &moved))
            },
            Service::Telegram if empty("text") => {
                let said = "Bad Request: message text is empty";
                text(400, &telegram_error(400, said, &json!({})))
            },
            _ => None,
        }
    }
}

fn telegram_error(code: u16, description: &str, parameters: &Value) -> String {
    json!({
        "ok": false,
        "error_code": code,
        "description": description,
        "parameters": parameters,
    })
    .to_string()
}
