//! Memory for the webhooks that are being taken: a sender who is slow, or many who are, hold no
//! more of it than there is.

use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    body,
    error::ApiError,
    settings::{Limits, SizeLimit},
};

/// What a request takes beside its body, roughly.
const HEAD: u32 = 4 << 10;

/// Memory for the webhooks that are being taken, in bytes.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

/// The part of it that one webhook holds.
#[derive(Debug)]
pub(super) struct Share(OwnedSemaphorePermit);

const NO_ROOM: ApiError = ApiError::Unavailable("too many webhooks are being taken", None);

impl Room {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Semaphore::new(limits.inbound_memory.min(Semaphore::MAX_PERMITS))))
    }

    /// Room for a request without its body.
    pub(super) fn enter(&self) -> Result<Share, ApiError> {
        Arc::clone(&self.0).try_acquire_many_owned(HEAD).map(Share).map_err(|_| NO_ROOM)
    }

    /// Reads the whole body, if there is room for it and it is within the limit.
    pub(super) async fn read(
        &self,
        share: &mut Share,
        mut body: Body,
        limit: SizeLimit,
        limits: &Limits,
    ) -> Result<Bytes, ApiError> {
        match self.collect(share, &mut body, limit).await {
            Err(error @ ApiError::TooLarge { .. }) => {
                body::pass_over(&mut body, limits).await?;
                Err(error)
            },
            other => other,
        }
    }

    async fn collect(
        &self,
        share: &mut Share,
        body: &mut Body,
        limit: SizeLimit,
    ) -> Result<Bytes, ApiError> {
        let too_large = ApiError::TooLarge { what: "body", limit };
        let announced = body.size_hint();
        if announced.lower() > limit.bytes as u64 {
            return Err(too_large);
        }
        let mut whole = BytesMut::new();
        while let Some(part) = body::next(body).await? {
            if whole.len() + part.len() > limit.bytes {
                return Err(too_large);
            }
            self.widen(share, part.len())?;
            if announced.exact() == Some(part.len() as u64) {
                return Ok(part);
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    fn widen(&self, share: &mut Share, bytes: usize) -> Result<(), ApiError> {
        let bytes = u32::try_from(bytes).map_err(|_| NO_ROOM)?;
        let more = Arc::clone(&self.0).try_acquire_many_owned(bytes).map_err(|_| NO_ROOM)?;
        share.0.merge(more);
        Ok(())
    }
}
