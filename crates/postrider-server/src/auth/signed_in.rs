//! A person who has signed in.

use postrider::api::Role;
use postrider_store::SignIn;

/// A session in use.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) session: SignIn,
    pub(crate) role: Role,
    /// Identifies the session without granting it.
    pub(crate) digest: [u8; 32],
}
