//! Reads a stream of Server-Sent Events.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::server::{MAX_WAIT, Server};

/// A stream of Server-Sent Events.
#[derive(Debug)]
pub(crate) struct Stream {
    lines: BufReader<TcpStream>,
    pub(crate) last_event_id: String,
}

impl Stream {
    /// Opens a stream; it goes on after an event if there is one.
    pub(crate) async fn open(server: &Server, path: &str, last_event_id: &str) -> Self {
        let address = server.url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nlast-event-id: {last_event_id}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut stream =
            Self { lines: BufReader::with_capacity(256, socket), last_event_id: String::new() };
        let status = stream.line().await.unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        stream
    }

    /// The data of the next message.
    pub(crate) async fn next(&mut self) -> Value {
        let mut name = String::new();
        loop {
            let line = self.line().await.expect("the stream goes on");
            if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut self.last_event_id);
            } else if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                assert_eq!(name, "message", "{data}");
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// The next line; none at the end. Lines of the head and sizes of chunks are lines too.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(MAX_WAIT, self.lines.read_line(&mut line)).await;
        let read = read.expect("nothing arrives").unwrap_or_default();
        (read > 0).then(|| line.trim_end().to_owned())
    }
}
