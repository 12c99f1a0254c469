//! Connections and memory that the listeners of one kind share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::settings::Limits;

/// Bytes per memory permit. Semaphores count up to `u32` permits at a time.
const PERMIT_BYTES: usize = 1 << 10;

/// Connections and memory that the listeners of one kind share.
#[derive(Debug)]
pub(super) struct Capacity {
    connections: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

impl Capacity {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.relay_sessions)),
            memory: Arc::new(Semaphore::new(limits.relay_bytes / PERMIT_BYTES)),
        }
    }

    pub(super) fn try_connect(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.connections).try_acquire_owned()
    }

    /// Reserves memory for requests that are being forwarded.
    pub(super) fn try_reserve(
        &self,
        bytes: usize,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES) + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).try_acquire_many_owned(permits)
    }
}
