//! Bounds on the parts of a response that are read and kept.

/// Most bytes of a response's body that are kept.
pub(in crate::sender) const BODY_KEPT: usize = 16 << 10;

/// Most bytes of a response's headers that are kept, and that are read over HTTP/1. Over HTTP/2 a
/// larger block can only be refused, not truncated, so more is read.
pub(in crate::sender) const HEADERS_MAX: u32 = 64 << 10;
