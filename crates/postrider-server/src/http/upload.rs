//! How a request's body arrives: under a limit, within a time that grows with what has arrived,
//! and in memory that is reserved as it is needed, never by what the client announced.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use postrider_core::data_rate::MinDataRate;
use tokio::time::{Instant, timeout};

use crate::{
    api::error::ApiError,
    http::memory::Reserved,
    settings::{Limits, SizeLimit},
};

/// Bytes after which other requests have a turn, although more of this one may have arrived.
const TURN: u64 = 256 << 10;

/// What the body of a request may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Most bytes that are kept.
    pub(crate) limit: SizeLimit,
    /// Most bytes of a refused body that are read before it is answered, because a client that
    /// is still sending does not see the response.
    pub(crate) skipped: usize,
    pub(crate) min_rate: MinDataRate,
    /// The setting of its allowance.
    pub(crate) timeout: &'static str,
}

impl Bounds {
    /// Those of a request to the API.
    pub(crate) fn of_request(limits: &Limits, limit: SizeLimit) -> Self {
        Self::new(limits, limit, (limits.body_timeout, "limits.body_timeout"))
    }

    /// Those of a received webhook.
    pub(crate) fn of_webhook(limits: &Limits, limit: SizeLimit) -> Self {
        Self::new(limits, limit, (limits.inbound_timeout, "inbound.body_timeout"))
    }

    fn new(
        limits: &Limits,
        limit: SizeLimit,
        (allowance, timeout): (Duration, &'static str),
    ) -> Self {
        let min_rate =
            MinDataRate { grace_period: allowance, bytes_per_second: limits.min_transfer_rate };
        Self { limit, skipped: limits.batch_bytes, min_rate, timeout }
    }
}

/// Reads the whole body.
pub(crate) async fn read(
    body: Body,
    bounds: Bounds,
    reserved: &mut Reserved,
) -> Result<Bytes, ApiError> {
    let mut upload = Upload { body, bounds, began_at: Instant::now(), received: 0 };
    match upload.collect(reserved).await {
        Err(error @ (ApiError::TooLarge { .. } | ApiError::Unavailable(..))) => {
            upload.skip().await?;
            Err(error)
        },
        other => other,
    }
}

struct Upload {
    body: Body,
    bounds: Bounds,
    began_at: Instant,
    received: u64,
}

impl Upload {
    async fn collect(&mut self, reserved: &mut Reserved) -> Result<Bytes, ApiError> {
        let too_large = ApiError::TooLarge { what: "body", limit: self.bounds.limit };
        let limit = self.bounds.limit.bytes;
        let announced = self.body.size_hint();
        if announced.lower() > limit as u64 {
            return Err(too_large);
        }
        let exact = announced.exact().and_then(|it| usize::try_from(it).ok());
        let mut whole = BytesMut::new();
        while let Some(part) = self.next().await? {
            if whole.len() + part.len() > limit {
                return Err(too_large);
            }
            if whole.is_empty() && exact == Some(part.len()) {
                reserved.grow(part.len())?;
                return Ok(part);
            }
            extend(&mut whole, &part, exact.unwrap_or(limit), reserved)?;
        }
        Ok(whole.freeze())
    }

    /// Reads the rest, up to a limit, and keeps nothing of it.
    async fn skip(&mut self) -> Result<(), ApiError> {
        let mut left = self.bounds.skipped;
        while let Some(part) = self.next().await? {
            left = left.saturating_sub(part.len());
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The next bytes, if there are any.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let limit = self.bounds.min_rate.time_limit(self.received);
        let left = limit.saturating_sub(self.began_at.elapsed());
        let too_slow = |_| ApiError::TooSlow { timeout: self.bounds.timeout };
        let part = timeout(left, next(&mut self.body)).await.map_err(too_slow)??;
        let before = self.received / TURN;
        self.received += part.as_ref().map_or(0, Bytes::len) as u64;
        if self.received / TURN > before {
            tokio::task::yield_now().await;
        }
        Ok(part)
    }
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, ApiError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::Bad {
            code: "bad_request",
            detail: format!("the body is incomplete: {error}"),
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Adds bytes; the memory at most doubles, so a client that announces much and sends little
/// holds little.
fn extend(
    whole: &mut BytesMut,
    part: &[u8],
    most: usize,
    reserved: &mut Reserved,
) -> Result<(), ApiError> {
    let length = whole.len() + part.len();
    if length > whole.capacity() {
        let wanted = length.max((2 * whole.capacity()).min(most));
        reserved.grow(wanted - whole.capacity())?;
        whole.reserve(wanted - whole.len());
    }
    whole.extend_from_slice(part);
    Ok(())
}
