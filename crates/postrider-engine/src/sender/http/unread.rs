//! Whether a receiver has read a request that failed.

use std::{error::Error, io};

/// Whether a request over HTTP/2 was certainly or most likely not processed: it was not sent, the
/// server said so, or the connection ended.
pub(super) fn is_unread(error: &hyper::Error) -> bool {
    if error.is_canceled() || error.is_closed() {
        return true;
    }
    let Some(cause) = error.source() else { return false };
    cause.is::<io::Error>()
        || cause.downcast_ref::<h2::Error>().is_some_and(|it| {
            it.is_remote() && (it.is_go_away() || it.reason() == Some(h2::Reason::REFUSED_STREAM))
        })
}
