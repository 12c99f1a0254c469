//! One delivery to make.

use std::sync::Arc;

use bytes::Bytes;
use postrider_core::{message::Message, target::Target, time::Timestamp};

/// One delivery to make.
#[derive(Clone, Debug)]
pub struct Call {
    pub target: Arc<Target>,
    pub message: Arc<Message>,
    /// What is delivered. It need not be the body of the message.
    pub body: Bytes,
    /// When it starts; part of the signature.
    pub at: Timestamp,
}
