//! Response bodies that report to their connection how much of them was written.
//!
//! Hyper does not report it. Without it, a client that never reads could not be distinguished from
//! one that downloads slowly.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::activity::{Activity, InProgress};

/// The body of a response. Its request is in progress until this is dropped.
#[derive(Debug)]
pub(super) struct TrackedBody {
    pub(super) body: Body,
    pub(super) request: InProgress,
}

impl HttpBody for TrackedBody {
    type Data = UnsentBytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<UnsentBytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(ctx));
        let unsent = |bytes| UnsentBytes::new(bytes, &this.request.0);
        Poll::Ready(frame.map(|result| result.map(|frame| frame.map_data(unsent))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that are not written to the socket yet.
#[derive(Debug)]
pub(super) struct UnsentBytes {
    bytes: Bytes,
    activity: Arc<Activity>,
}

impl UnsentBytes {
    fn new(bytes: Bytes, activity: &Arc<Activity>) -> Self {
        activity.add_unsent(bytes.len());
        Self { bytes, activity: Arc::clone(activity) }
    }
}

impl Buf for UnsentBytes {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.activity.remove_unsent(count);
    }
}

impl Drop for UnsentBytes {
    fn drop(&mut self) {
        self.activity.remove_unsent(self.bytes.len());
    }
}
