//! Starts HTTP on a connection.

use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::{
    frames::FrameMeter, limits::HEADERS_MAX, progress::connection_error,
    recorded_stream::RecordedStream, recorder::Recorder,
};
use crate::sender::{
    connect::Opened,
    error::CallError,
    meter::Metered,
    pool::{Connection, Pool, Protocol},
};

/// Most headers of a response over HTTP/1.
const HEADER_COUNT_MAX: usize = 512;

/// What a receiver may send of a body before it is read, over HTTP/2. More than what is kept of a
/// response would be useless.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same for all responses on a connection together.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Starts HTTP on a connection, in the version that TLS negotiated. The pool runs the connection.
pub(super) async fn handshake(pool: &Pool, opened: Opened) -> Result<Connection, CallError> {
    let Opened { stream, address, budget, is_http2 } = opened;
    if is_http2 {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(30))
            .max_header_list_size(HEADERS_MAX * 4)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(Metered::new(stream, FrameMeter::new(budget.clone()))))
            .await
            .map_err(|error| connection_error(&error))?;
        // The calls on a connection get the error with which it ends.
        let open = pool.spawn(async move { drop(connection.await) });
        return Ok(Connection { address, protocol: Protocol::Http2(sender), budget, open });
    }
    let recorder = Recorder::default();
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(HEADERS_MAX as usize)
        .max_headers(HEADER_COUNT_MAX)
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(TokioIo::new(RecordedStream::new(stream, recorder.clone(), budget.clone())))
        .await
        .map_err(|error| connection_error(&error))?;
    let open = pool.spawn(async move { drop(connection.await) });
    let protocol = Protocol::Http1(sender, recorder);
    Ok(Connection { address, protocol, budget, open })
}
