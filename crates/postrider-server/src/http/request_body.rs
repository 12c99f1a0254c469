//! Bodies of requests that give back what was not read of them.
//!
//! A request can be refused before its body arrives: without a valid token there is no reason to
//! read it. A connection of HTTP/1 is only usable again after the whole body was read, and Hyper
//! closes one with an unread body without telling the client, which may just be sending its next
//! request.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use postrider_core::data_rate::MinDataRate;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::settings::Limits;

/// How long the server waits for the next bytes of a body that it does not need.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Limits for the part of a body that is read only to use the connection again, and so that the
/// client sees the response: many clients do not read it before they have sent the whole body.
#[derive(Clone, Copy, Debug)]
pub(super) struct SkipLimits {
    bytes: usize,
    min_rate: MinDataRate,
}

impl SkipLimits {
    pub(super) const fn new(limits: &Limits) -> Self {
        let min_rate = MinDataRate {
            grace_period: limits.body_timeout,
            bytes_per_second: limits.min_transfer_rate,
        };
        Self { bytes: limits.batch_bytes, min_rate }
    }
}

/// The body of a request, which gives back what was not read of it when it is dropped.
#[derive(Debug)]
pub(super) struct RequestBody {
    /// None at its end, or after an error.
    body: Option<Incoming>,
    /// Whether the client waits for `100 Continue`, which the first read sends, before it sends
    /// the body.
    is_held_back: bool,
    /// Where the rest goes; none if nothing would follow from it.
    rest: Option<oneshot::Sender<Rest>>,
}

/// What was not read of a body.
#[derive(Debug)]
pub(super) enum Rest {
    /// The client sends this.
    Unread(Incoming),
    /// The client sends this after `100 Continue`, which it did not get.
    HeldBack,
}

impl RequestBody {
    /// Gives the request a body whose rest can be received after the response.
    pub(super) fn of(
        request: Request<Incoming>,
    ) -> (Request<Self>, Option<oneshot::Receiver<Rest>>) {
        let is_held_back = request.headers().contains_key(header::EXPECT);
        // A stream of HTTP/2 ends without its connection.
        let is_needed = request.version() <= Version::HTTP_11 && !request.body().is_end_stream();
        let (rest, receiver) = is_needed.then(oneshot::channel).unzip();
        (request.map(|body| Self { body: Some(body), is_held_back, rest }), receiver)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        this.is_held_back = false;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(ctx));
        if !matches!(frame, Some(Ok(_))) {
            this.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let (Some(body), Some(rest)) = (self.body.take(), self.rest.take()) else { return };
        if !body.is_end_stream() {
            let unread = if self.is_held_back { Rest::HeldBack } else { Rest::Unread(body) };
            // The connection may have ended.
            drop(rest.send(unread));
        }
    }
}

impl Rest {
    /// Reads and drops the rest. Returns whether the connection can be used again.
    pub(super) async fn skip(self, limits: SkipLimits) -> bool {
        let Self::Unread(mut body) = self else { return false };
        let (started_at, mut skipped) = (Instant::now(), 0);
        while skipped < limits.bytes {
            let limit = limits.min_rate.time_limit(skipped as u64);
            let left = limit.saturating_sub(started_at.elapsed());
            match timeout(left.min(MAX_PAUSE), body.frame()).await {
                Ok(None) => return true,
                Ok(Some(Ok(frame))) => skipped += frame.data_ref().map_or(0, Bytes::len),
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        body.is_end_stream()
    }
}
