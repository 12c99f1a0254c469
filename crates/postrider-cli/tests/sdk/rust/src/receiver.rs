//! A receiver with configurable responses that records its calls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver as Box, Sender, channel},
    task::JoinSet,
    time::timeout,
};

use crate::MAX_WAIT;

/// A received call.
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

#[derive(Default)]
struct Shared {
    boxes: Mutex<HashMap<String, Sender<Call>>>,
    statuses: Mutex<HashMap<String, u16>>,
}

pub(crate) struct Receiver {
    address: String,
    shared: Arc<Shared>,
    boxes: HashMap<String, Box<Call>>,
    _task: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start(names: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let mut boxes = HashMap::new();
        for &name in names {
            let (sender, arrivals) = channel(100);
            shared.boxes.lock().unwrap().insert(name.to_owned(), sender);
            boxes.insert(name.to_owned(), arrivals);
        }
        let router = Router::new().route("/{name}", post(receive)).with_state(Arc::clone(&shared));
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, boxes, _task: task }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Sets the status of responses to `name`.
    pub(crate) fn set_status(&self, name: &str, status: u16) {
        self.shared.statuses.lock().unwrap().insert(name.to_owned(), status);
    }

    /// Waits for the next call of `name`.
    pub(crate) async fn next(&mut self, name: &str) -> Call {
        let arrival = timeout(MAX_WAIT, self.boxes.get_mut(name).unwrap().recv()).await;
        arrival.unwrap_or_else(|_| panic!("nothing arrived at /{name}")).unwrap()
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let sender = shared.boxes.lock().unwrap().get(&name).cloned();
    let Some(sender) = sender else { return StatusCode::NOT_FOUND };
    sender.send(Call { headers, body }).await.unwrap();
    let status = shared.statuses.lock().unwrap().get(&name).copied();
    StatusCode::from_u16(status.unwrap_or(200)).unwrap()
}

/// Posts a body, as a provider does. Returns the response.
pub(crate) async fn send_webhook(url: &str, body: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    timeout(MAX_WAIT, stream.read_to_string(&mut response)).await.unwrap().unwrap();
    response
}
