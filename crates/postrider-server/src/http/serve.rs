//! Brings requests to the router over TCP, and ends without cutting any off.

use std::{io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use futures_util::FutureExt;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use postrider_core::connections::ConnectionAction;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    peer,
    registry::{Place, Registry},
    stream::Stream,
};
use crate::settings::{Limits, Serving};

/// How long to wait after the system refused a connection, when it has no more of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that are accepted before those already open are served again. When many clients
/// connect at once, accepting one per turn would leave the others in the kernel's queue, which
/// drops connections once it is full.
const BURST: usize = 64;

/// HTTP/2 streams that a client may reset before they are served, and that we may have to reset
/// because they break the protocol; after more, the connection ends.
const RESETS: usize = 20;
const LOCAL_RESETS: usize = 100;

/// Bytes that an HTTP/2 client may send before they are read: on one stream, and in all.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of an HTTP/2 response that are taken from it before they are sent.
const SEND_BUFFER: usize = 64 << 10;

/// Answers requests until `shutdown`, then lets those under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    serving: Serving,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let registry = Registry::new(&serving);
    let streams = TaskTracker::new();
    let mut connections = Connections {
        builder: builder(&serving.limits, streams.clone()),
        router: TowerToHyperService::new(router),
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
        tracing::warn!(connections, "requests were cut off at shutdown");
    }
    connections.tasks.shutdown().await;
    Ok(())
}

/// Accepts connections until `shutdown`, and ends those whose time is over.
async fn accept(
    listener: TcpListener,
    registry: &Arc<Registry>,
    connections: &mut Connections,
    shutdown: CancellationToken,
) {
    let mut arrival = pin!(arrive(&listener, registry));
    let mut sweeps = interval(registry.period());
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut arrived = tokio::select! {
            arrived = arrival.as_mut() => Some(arrived),
            Some(_) = connections.tasks.join_next() => continue,
            _ = sweeps.tick() => {
                registry.sweep();
                continue;
            },
            () = shutdown.cancelled() => break,
        };
        let mut count = 0;
        while let Some(arrival) = arrived {
            connections.open(arrival);
            count += 1;
            let is_more = count < BURST && !registry.is_full();
            arrived = if is_more { arrive(&listener, registry).now_or_never() } else { None };
        }
        arrival.set(arrive(&listener, registry));
    }
}

/// The connections that are served.
struct Connections {
    builder: Builder<Tracked>,
    router: TowerToHyperService<Router>,
    tasks: JoinSet<()>,
}

impl Connections {
    /// Serves a connection until it ends, or is to end.
    fn open(&mut self, Arrival { socket, peer, place }: Arrival) {
        let activity = Arc::clone(&place.activity);
        let service = peer::service(self.router.clone(), peer, Arc::clone(&activity));
        let stream = TokioIo::new(Stream { socket, place });
        let connection = self.builder.serve_connection_with_upgrades(stream, service).into_owned();
        // A later connection may take the place of this one before its task runs.
        let mut fates = activity.fate();
        self.tasks.spawn(async move {
            let mut connection = pin!(connection);
            loop {
                tokio::select! {
                    biased;
                    ended = connection.as_mut() => {
                        if let Err(error) = ended {
                            tracing::debug!(%error, "connection ended early");
                        }
                        break;
                    },
                    Ok(()) = fates.changed() => match *fates.borrow_and_update() {
                        ConnectionAction::Keep => {},
                        ConnectionAction::Finish => connection.as_mut().graceful_shutdown(),
                        ConnectionAction::Close(reason) => {
                            tracing::debug!(reason, %peer, "connection was closed");
                            break;
                        },
                    },
                }
            }
            // If its socket lives on, another protocol has it.
            activity.upgrade();
        });
    }
}

/// A new connection with its place.
struct Arrival {
    socket: TcpStream,
    peer: IpAddr,
    place: Place,
}

/// The next connection that gets a place.
async fn arrive(listener: &TcpListener, registry: &Arc<Registry>) -> Arrival {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(%error, "connection answers with delay");
                }
                let peer = peer.ip();
                if let Some(place) = registry.place(peer).await {
                    return Arrival { socket, peer, place };
                }
            },
            Err(error) => {
                tracing::warn!(%error, "connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            },
        }
    }
}

fn builder(limits: &Limits, streams: TaskTracker) -> Builder<Tracked> {
    let mut builder = Builder::new(Tracked(streams));
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
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

/// Runs the requests of HTTP/2 connections, and knows when all have ended.
#[derive(Clone, Debug)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
