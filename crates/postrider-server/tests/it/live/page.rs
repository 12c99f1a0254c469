//! A client that reads Server-Sent Events as a browser does.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// How long something may take that must happen.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// A page that reads a stream.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) last_event_id: String,
    /// How long it would wait before it connects again.
    pub(super) retry: Option<u64>,
    body: Incoming,
    text: String,
    events: VecDeque<Event>,
    /// Comments that arrived.
    pub(super) comments: usize,
    connection: JoinSet<()>,
}

/// An event as a page gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
    pub(super) last_event_id: String,
}

impl Event {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

impl Page {
    /// Opens a stream. `url` is what the operation returned; `headers` are added.
    pub(super) async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let mut request = Request::builder().uri(path).header("host", "hooks.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = timeout(SOON, sender.send_request(request)).await.unwrap().unwrap();
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            last_event_id: String::new(),
            retry: None,
            body,
            text: String::new(),
            events: VecDeque::new(),
            comments: 0,
            connection: tasks,
        }
    }

    /// The next event; none at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.receive().await {
                return None;
            }
        }
    }

    /// Receives something; `false` at the end.
    pub(super) async fn receive(&mut self) -> bool {
        let frame = timeout(SOON, self.body.frame()).await.expect("nothing arrives");
        let Some(Ok(frame)) = frame else { return false };
        if let Ok(data) = frame.into_data() {
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
        while let Some((block, rest)) = self.text.split_once("\n\n") {
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.text = rest;
            self.read(&block);
        }
        true
    }

    fn read(&mut self, block: &str) {
        let (mut name, mut data) = ("message".to_owned(), Vec::new());
        for line in block.lines() {
            match line.split_once(':') {
                Some(("", _)) => self.comments += 1,
                Some(("id", value)) => value.trim_start().clone_into(&mut self.last_event_id),
                Some(("event", value)) => value.trim_start().clone_into(&mut name),
                Some(("data", value)) => data.push(value.strip_prefix(' ').unwrap_or(value)),
                Some(("retry", value)) => self.retry = value.trim().parse().ok(),
                _ => panic!("{line}"),
            }
        }
        if !data.is_empty() {
            let (data, last_event_id) = (data.join("\n"), self.last_event_id.clone());
            self.events.push_back(Event { name, data, last_event_id });
        }
    }

    /// The next event, which must be a message with this value in its payload.
    #[track_caller]
    pub(super) fn expect(&mut self, value: &Value) -> impl Future<Output = Event> {
        let place = std::panic::Location::caller();
        async move {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended: {place}"));
            assert_eq!(event.name, "message", "{event:?} at {place}");
            assert_eq!(&event.json()["payload"]["value"], value, "at {place}");
            event
        }
    }

    /// The next event, which must be the end, and the reason.
    pub(super) async fn end(mut self) -> String {
        let event = self.next().await.expect("the stream says why it ends");
        assert_eq!(event.name, "end", "{event:?}");
        assert_eq!(self.next().await, None);
        event.json()["reason"].as_str().unwrap().to_owned()
    }

    /// Closes the connection and returns the id of the last event.
    pub(super) fn close(mut self) -> String {
        self.connection.abort_all();
        self.last_event_id
    }
}
