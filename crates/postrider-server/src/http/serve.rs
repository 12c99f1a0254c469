//! Accepts connections and serves HTTP on them, until a shutdown that waits for the requests in
//! progress.

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use futures_util::FutureExt;
use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::{Builder, UpgradeableConnection},
    service::TowerToHyperService,
};
use postrider_core::connections::ConnectionAction;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::server::TlsStream;
use tokio_util::{either::Either, sync::CancellationToken, task::TaskTracker};

use super::{
    peer,
    registry::{Registry, Slot},
    request_body::SkipLimits,
    stream::ConnectionStream,
    tls::ServerTls,
    tracked_body::TrackedBody,
};
use crate::settings::{Limits, Serving};

/// Pause after a failure to accept a connection. Its usual reason is a lack of file descriptors,
/// which an immediate retry would not change.
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Connections that are accepted before those already open are served again. When many clients
/// connect at once, accepting one per turn would leave the others in the kernel's queue, which
/// drops connections once it is full.
const MAX_BURST: usize = 64;

/// HTTP/2 streams that a client may reset before they are served, and that may violate the
/// protocol, before the connection is closed. Resets cost the client nothing and the server a
/// request (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_RESETS: usize = 100;

/// Bytes that an HTTP/2 client may send before they are read, per stream and per connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of an HTTP/2 response that are buffered before they are sent.
const SEND_BUFFER: usize = 64 << 10;

/// Serves requests until `shutdown`, then waits for those in progress, at most `limits.drain`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    serving: Serving,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let registry = Registry::new(&serving);
    let streams = TaskTracker::new();
    let mut connections = Connections {
        builder: Arc::new(builder(&serving.limits, streams.clone())),
        tls: serving.tls.clone(),
        router: TowerToHyperService::new(router),
        draining: serving.draining.clone(),
        skipped: SkipLimits::new(&serving.limits),
        threads: serving.threads,
        next_thread: 0,
        tasks: JoinSet::new(),
    };
    accept(listener, &registry, &mut connections, shutdown).await;
    streams.close();
    let drained = async {
        registry.finish();
        while connections.tasks.join_next().await.is_some() {}
        streams.wait().await;
    };
    if tokio::time::timeout(serving.limits.drain, drained).await.is_err() {
        let connections = connections.tasks.len();
        tracing::warn!(connections, "requests were aborted at shutdown");
    }
    connections.tasks.shutdown().await;
    Ok(())
}

/// Accepts connections until `shutdown`, and enforces their timeouts.
async fn accept(
    listener: TcpListener,
    registry: &Arc<Registry>,
    connections: &mut Connections,
    shutdown: CancellationToken,
) {
    let mut next = pin!(accept_one(&listener, registry));
    let mut sweeps = interval(registry.period());
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut accepted = tokio::select! {
            accepted = next.as_mut() => Some(accepted),
            Some(_) = connections.tasks.join_next() => continue,
            _ = sweeps.tick() => {
                registry.sweep();
                continue;
            },
            () = shutdown.cancelled() => break,
        };
        let mut count = 0;
        while let Some(connection) = accepted {
            connections.open(connection);
            count += 1;
            let is_more = count < MAX_BURST && !registry.is_full();
            accepted = if is_more { accept_one(&listener, registry).now_or_never() } else { None };
        }
        next.set(accept_one(&listener, registry));
    }
}

/// The tasks that serve connections, and what they have in common.
struct Connections {
    builder: Arc<Builder<TrackingExecutor>>,
    tls: Option<ServerTls>,
    router: TowerToHyperService<Router>,
    draining: CancellationToken,
    skipped: SkipLimits,
    threads: Vec<Handle>,
    /// The index of the thread that serves the next connection; the last one is this thread.
    next_thread: usize,
    tasks: JoinSet<()>,
}

impl Connections {
    /// Serves a connection until it ends or the registry closes it.
    fn open(&mut self, NewConnection { socket, peer, slot }: NewConnection) {
        let activity = Arc::clone(&slot.activity);
        let (router, draining) = (self.router.clone(), self.draining.clone());
        let service = peer::service(router, peer, Arc::clone(&activity), draining, self.skipped);
        let (builder, tls) = (Arc::clone(&self.builder), self.tls.clone());
        // Subscribed before the task runs, because this connection may be evicted before.
        let mut actions = activity.actions();
        let serving = async move |socket| {
            let stream = ConnectionStream { socket, slot };
            let stream = match tls {
                None => Either::Left(stream),
                Some(tls) => match shake_hands(&tls, stream, &mut actions, peer).await {
                    Some(stream) => Either::Right(stream),
                    None => return,
                },
            };
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            drive(pin!(connection), actions, peer).await;
            // If the socket is still open, another protocol uses it; else this has no effect.
            activity.upgrade();
        };
        match self.take_thread() {
            None => drop(self.tasks.spawn(serving(socket))),
            Some(thread) => drop(self.tasks.spawn_on(moved(socket.into_std(), serving), &thread)),
        }
    }

    /// The thread that serves the next connection; none if it is this one. Connections are spread
    /// evenly: with a listener on each thread (`SO_REUSEPORT`), the kernel would spread them by
    /// their ports, which loads the threads unevenly when connections are few, and it would let
    /// another process bind the same address.
    fn take_thread(&mut self) -> Option<Handle> {
        let index = self.next_thread;
        self.next_thread = (index + 1) % (self.threads.len() + 1);
        self.threads.get(index).cloned()
    }
}

/// Registers the socket with the runtime that this runs on, and serves it there.
async fn moved(socket: io::Result<std::net::TcpStream>, serving: impl AsyncFnOnce(TcpStream)) {
    match socket.and_then(TcpStream::from_std) {
        Ok(socket) => serving(socket).await,
        Err(error) => tracing::warn!(%error, "connection cannot be served"),
    }
}

/// A connection with or without TLS. The state of TLS is large, and most servers do without.
type Stream = Either<ConnectionStream, Box<TlsStream<ConnectionStream>>>;

/// Completes the TLS handshake of a connection. It has the time in which a client has to send its
/// first request; then, or when another connection needs the place, the registry closes it.
async fn shake_hands(
    tls: &ServerTls,
    stream: ConnectionStream,
    actions: &mut watch::Receiver<ConnectionAction>,
    peer: IpAddr,
) -> Option<Box<TlsStream<ConnectionStream>>> {
    let mut handshake = Box::pin(tls.accept(stream));
    loop {
        tokio::select! {
            biased;
            ended = handshake.as_mut() => match ended {
                Ok(stream) => return Some(Box::new(stream)),
                Err(error) => {
                    tracing::debug!(%error, %peer, "TLS handshake failed");
                    return None;
                },
            },
            Ok(()) = actions.changed() => match *actions.borrow_and_update() {
                ConnectionAction::Keep => {},
                // There is no request yet whose end could be waited for.
                ConnectionAction::Finish => return None,
                ConnectionAction::Close(reason) => {
                    tracing::debug!(reason, %peer, "connection was closed");
                    return None;
                },
            },
        }
    }
}

/// Serves a connection, and does what the registry requests.
async fn drive<S>(
    mut connection: Pin<&mut UpgradeableConnection<'_, TokioIo<Stream>, S, TrackingExecutor>>,
    mut actions: watch::Receiver<ConnectionAction>,
    peer: IpAddr,
) where
    S: Service<Request<Incoming>, Response = Response<TrackedBody>, Error = Infallible>,
    S::Future: Send + 'static,
{
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended early");
                }
                return;
            },
            Ok(()) = actions.changed() => match *actions.borrow_and_update() {
                ConnectionAction::Keep => {},
                ConnectionAction::Finish => connection.as_mut().graceful_shutdown(),
                ConnectionAction::Close(reason) => {
                    tracing::debug!(reason, %peer, "connection was closed");
                    return;
                },
            },
        }
    }
}

/// An accepted connection with its slot.
struct NewConnection {
    socket: TcpStream,
    peer: IpAddr,
    slot: Slot,
}

/// The next connection that is admitted.
async fn accept_one(listener: &TcpListener, registry: &Arc<Registry>) -> NewConnection {
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY cannot be set");
                }
                let peer = peer.ip();
                if let Some(slot) = registry.acquire(peer).await {
                    return NewConnection { socket, peer, slot };
                }
            },
            Err(error) => {
                // Once, however long it lasts: it would be ten lines a second.
                if !std::mem::replace(&mut is_failing, true) {
                    warn_of_accept_error(&error);
                }
                tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
            },
        }
    }
}

fn warn_of_accept_error(error: &io::Error) {
    tracing::warn!(
        %error,
        "connections cannot be accepted, and clients wait; if there are too many open files, raise \
         the limit (`ulimit -n`, or LimitNOFILE= of systemd) or lower `limits.connections`"
    );
}

fn builder(limits: &Limits, streams: TaskTracker) -> Builder<TrackingExecutor> {
    let mut builder = Builder::new(TrackingExecutor(streams));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        // Some clients shut down their sending side after the request and wait for the response.
        .half_close(true)
        .max_buf_size(limits.header_bytes)
        .max_headers(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_timeout)
        .max_concurrent_streams(u32::try_from(limits.http2_streams).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

/// Runs the streams of HTTP/2 connections in tasks that the shutdown can wait for.
#[derive(Clone, Debug)]
struct TrackingExecutor(TaskTracker);

impl<F> hyper::rt::Executor<F> for TrackingExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
