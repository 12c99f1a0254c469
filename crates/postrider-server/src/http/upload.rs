//! Reads the bodies of requests: up to a size, at a minimum rate, and with memory that is reserved
//! for the bytes that were received. What `content-length` announces reserves nothing: a client
//! could announce much and send nothing.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use postrider_core::data_rate::MinDataRate;
use tokio::time::{Instant, timeout};

use crate::{
    api::error::ApiError,
    http::memory::Reservation,
    settings::{Limits, SizeLimit},
};

/// Bytes after which the task yields to other requests, although more of this body may be ready.
const YIELD_BYTES: u64 = 256 << 10;

/// Limits for the body of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Largest body.
    pub(crate) limit: SizeLimit,
    pub(crate) min_rate: MinDataRate,
    /// The setting of the rate's grace period, for the error.
    pub(crate) timeout: &'static str,
}

impl BodyLimits {
    /// The limits of a request to the API.
    pub(crate) fn for_request(limits: &Limits, limit: SizeLimit) -> Self {
        Self::new(limits, limit, (limits.body_timeout, "limits.body_timeout"))
    }

    /// The limits of a received webhook.
    pub(crate) fn for_webhook(limits: &Limits, limit: SizeLimit) -> Self {
        Self::new(limits, limit, (limits.inbound_timeout, "inbound.body_timeout"))
    }

    fn new(
        limits: &Limits,
        limit: SizeLimit,
        (allowance, timeout): (Duration, &'static str),
    ) -> Self {
        let min_rate =
            MinDataRate { grace_period: allowance, bytes_per_second: limits.min_transfer_rate };
        Self { limit, min_rate, timeout }
    }
}

/// Reads the whole body.
pub(crate) async fn read(
    body: Body,
    limits: BodyLimits,
    reserved: &mut Reservation,
) -> Result<Bytes, ApiError> {
    let upload = Upload { body, limits, started_at: Instant::now(), received: 0 };
    upload.collect(reserved).await
}

struct Upload {
    body: Body,
    limits: BodyLimits,
    started_at: Instant,
    received: u64,
}

impl Upload {
    async fn collect(mut self, reserved: &mut Reservation) -> Result<Bytes, ApiError> {
        let too_large = ApiError::TooLarge { what: "body", limit: self.limits.limit };
        let limit = self.limits.limit.bytes;
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
            // The usual case: the body is one part, which is used without a copy.
            if whole.is_empty() && exact == Some(part.len()) {
                reserved.grow(part.len())?;
                return Ok(part);
            }
            extend(&mut whole, &part, exact.unwrap_or(limit), reserved)?;
        }
        Ok(whole.freeze())
    }

    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let limit = self.limits.min_rate.time_limit(self.received);
        let left = limit.saturating_sub(self.started_at.elapsed());
        let too_slow = |_| ApiError::TooSlow { timeout: self.limits.timeout };
        let part = timeout(left, next(&mut self.body)).await.map_err(too_slow)??;
        let before = self.received / YIELD_BYTES;
        self.received += part.as_ref().map_or(0, Bytes::len) as u64;
        if self.received / YIELD_BYTES > before {
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

/// Appends bytes. The memory at most doubles, so that a client that announces much and sends little
/// takes little.
fn extend(
    whole: &mut BytesMut,
    part: &[u8],
    max: usize,
    reserved: &mut Reservation,
) -> Result<(), ApiError> {
    let length = whole.len() + part.len();
    if length > whole.capacity() {
        let wanted = length.max((2 * whole.capacity()).min(max));
        reserved.grow(wanted - whole.capacity())?;
        whole.reserve(wanted - whole.len());
    }
    whole.extend_from_slice(part);
    Ok(())
}
