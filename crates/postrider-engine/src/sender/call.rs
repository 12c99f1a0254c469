//! One delivery to make, or a batch.

use std::sync::Arc;

use bytes::Bytes;
use postrider_core::{message::Message, target::Target, time::Timestamp, trace::TraceContext};

/// One delivery to make, or a batch.
#[derive(Clone, Debug)]
pub struct Call {
    pub target: Arc<Target>,
    pub message: Arc<Message>,
    /// The messages of a batch, beginning with `message`. Empty if the endpoint gets each message
    /// by itself.
    pub batch: Vec<Arc<Message>>,
    /// What is delivered. It need not be the body of the message.
    pub body: Bytes,
    /// When it starts; part of the signature.
    pub at: Timestamp,
    /// The trace context of the request, if the endpoint gets one.
    pub trace: Option<Box<TraceContext>>,
}
