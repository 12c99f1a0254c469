//! The body of a response that reports to its connection how much of it was written.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::activity::{Activity, InProgress};

/// The body of a response; its request is in progress for as long as it exists.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) body: Body,
    pub(super) request: InProgress,
}

impl HttpBody for Outgoing {
    type Data = Unsent;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Unsent>, axum::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(ctx));
        let unsent = |bytes| Unsent::new(bytes, &this.request.0);
        Poll::Ready(frame.map(|it| it.map(|frame| frame.map_data(unsent))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that wait to be written to the socket.
#[derive(Debug)]
pub(super) struct Unsent {
    bytes: Bytes,
    activity: Arc<Activity>,
}

impl Unsent {
    fn new(bytes: Bytes, activity: &Arc<Activity>) -> Self {
        activity.add_unsent(bytes.len());
        Self { bytes, activity: Arc::clone(activity) }
    }
}

impl Buf for Unsent {
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

impl Drop for Unsent {
    fn drop(&mut self) {
        self.activity.remove_unsent(self.bytes.len());
    }
}
