//! Stand-ins between an endpoint and its service: a connection that breaks, and a service that
//! always says the same.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Passes connections on, until it is told to cut some.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    cuts: Arc<AtomicUsize>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Self {
        let (listener, url) = listen().await;
        let cuts = Arc::new(AtomicUsize::new(0));
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let (left, open) = (Arc::clone(&cuts), Arc::clone(&connections));
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                open.lock().unwrap().spawn(pass_on(client, port, Arc::clone(&left)));
            }
        });
        Self { url, cuts, connections, _accepting: accepting }
    }

    /// Closes all connections. Of as many new ones, drops the response to the first request, after
    /// the service has processed the request, and closes them too.
    pub(crate) fn cut(&self, count: usize) {
        self.cuts.store(count, SeqCst);
        self.connections.lock().unwrap().abort_all();
    }

    /// Connections that are still to be cut.
    pub(crate) fn left(&self) -> usize {
        self.cuts.load(SeqCst)
    }
}

async fn pass_on(mut client: TcpStream, port: u16, cuts: Arc<AtomicUsize>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let is_cut = cuts.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
    if !is_cut {
        copy_bidirectional(&mut client, &mut server).await.ok();
        return;
    }
    let (mut requests, _) = client.split();
    let (mut responses, mut server) = server.split();
    let mut first = [0; 1];
    tokio::select! {
        _ = tokio::io::copy(&mut requests, &mut server) => {},
        _ = responses.read(&mut first) => {},
    }
}

/// A service that always says the same, or nothing at all.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

impl StandIn {
    pub(crate) async fn saying(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::start(Some(format!(
            "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )))
        .await
    }

    pub(crate) async fn silent() -> Self {
        Self::start(None).await
    }

    async fn start(response: Option<String>) -> Self {
        let (listener, url) = listen().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(respond(client, response.clone()));
            }
        });
        Self { url, _tasks: tasks }
    }
}

async fn respond(mut client: TcpStream, response: Option<String>) {
    let mut request = vec![0; 64 << 10];
    if client.read(&mut request).await.is_err() {
        return;
    }
    match response {
        Some(response) => {
            client.write_all(response.as_bytes()).await.ok();
            client.shutdown().await.ok();
        },
        None => std::future::pending().await,
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    (listener, url)
}
