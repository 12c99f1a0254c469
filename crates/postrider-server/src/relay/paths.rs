//! The paths that lead to the relay.

use postrider::listen::{LISTEN_PATH, RECEIVE_PATH};

/// Path of the URLs that the Svix CLI shows to its users. Sources have the same path; the tokens
/// of the two differ.
pub(super) const IN_PATH: &str = "/in/";

/// Whether a request to the path may need the address of its client.
pub(crate) fn is_relay_path(path: &str) -> bool {
    [RECEIVE_PATH, IN_PATH, LISTEN_PATH].iter().any(|it| path.starts_with(it))
}
