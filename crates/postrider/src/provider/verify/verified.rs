//! The results of verification.

use super::super::{Identity, identity::SignedMetadata};

/// A verified request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The provider's event type.
    pub event_type: Option<String>,
    /// The provider's id of the event, the delivery or the resource.
    pub event_id: Option<String>,
    /// Whether the provider documents that no other event has this id.
    pub event_id_is_unique: bool,
    /// What the event shares with its repetitions and with no other event; `None` if repetitions
    /// cannot be recognized. Remember it to process each event once.
    pub identity: Option<Identity>,
    /// A digest of the signed content, if the event id is not signed. A request with the same
    /// digest is the same event, whatever its id; it may be a replay. There is one exception: a
    /// provider that repeats only on demand sends the same content with the same id when a user
    /// requests a redelivery.
    pub signed_content: Option<Identity>,
    /// The index of the matching secret, if the scheme has secrets.
    pub secret: Option<usize>,
    /// Whether the request was verified; false with [`Settings::accept_unsigned`](crate::provider::Settings::accept_unsigned).
    pub signed: bool,
}

/// The result of a scheme. Some schemes contain the event type and id; otherwise the expressions of
/// the model select them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct SchemeMatch {
    pub secret: Option<usize>,
    pub event_type: Option<String>,
    pub event_id: Option<String>,
    /// Whether no other event has this id.
    pub event_id_is_unique: bool,
    pub metadata: Option<SignedMetadata>,
    /// The content of the body, if its wrapping differs between attempts or can be changed without
    /// touching the signed content.
    pub unwrapped: Option<Vec<u8>>,
}

impl Verified {
    /// The identity by the body, for a source in which different events never have the same body.
    pub fn identity_by_body(&self, body: &[u8]) -> Identity {
        Identity::of_content(self.event_type.as_deref(), self.event_id.as_deref(), body, None)
    }
}
