//! The key that the URL of a page is made from.

use crate::context::Context;

/// A session chooses the URL: the same person and number always have the same one.
pub(super) fn key(context: &Context, session: &str) -> String {
    format!("postrider inspect {} {session}", context.session.csrf)
}
