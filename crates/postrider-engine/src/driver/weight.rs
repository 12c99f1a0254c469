//! How much memory a message takes.

use postrider_core::message::Message;

/// Roughly what a message takes besides its body.
const OVERHEAD: usize = 512;

/// The memory that a message takes, roughly.
pub(super) fn size_in_memory(message: &Message) -> usize {
    message.body.as_ref().map_or(0, bytes::Bytes::len) + OVERHEAD
}
