//! Brings requests to the router over TCP, and ends without cutting any off.

mod opening;
mod peer;

use std::{io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use futures_util::FutureExt;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::peer::Peer;
use self::{opening::Opening, peer::WithPeer};
use crate::settings::Limits;

/// How long to wait after the system refused a connection, when it has no more of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Requests under way on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;

/// Connections that are accepted before those already open are served again. When many clients
/// connect at once, accepting one per turn would leave the others in the kernel's queue, which
/// drops connections once it is full.
const BURST: usize = 64;

/// Answers requests until `shutdown`, then lets those under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let streams = TaskTracker::new();
    let builder = builder(&limits, streams.clone());
    let service = TowerToHyperService::new(router);
    let room = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let mut accepted = tokio::select! {
            accepted = accept(&listener, &room) => Some(accepted),
            Some(_) = connections.join_next() => continue,
            () = shutdown.cancelled() => break,
        };
        let mut count = 0;
        while let Some((stream, peer, permit)) = accepted {
            let stream = TokioIo::new(Opening::new(stream, limits.header_timeout));
            let service = WithPeer { inner: service.clone(), peer };
            let connection = builder.serve_connection_with_upgrades(stream, service);
            let connection = graceful.watch(connection.into_owned());
            connections.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended early");
                }
                drop(permit);
            });
            count += 1;
            let is_more = count < BURST;
            accepted = if is_more { accept(&listener, &room).now_or_never() } else { None };
        }
    }
    drop(listener);
    streams.close();
    let drained = pin!(async {
        graceful.shutdown().await;
        streams.wait().await;
    });
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests were cut off at shutdown");
    }
    connections.shutdown().await;
    Ok(())
}

type Permit = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, IpAddr, Permit) {
    let permit = Arc::clone(room).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "connection answers with delay");
                }
                return (stream, peer.ip(), permit);
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
        .max_concurrent_streams(MAX_STREAMS)
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
