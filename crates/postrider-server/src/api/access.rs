//! Which principals an operation is for.

use postrider::api::Capability;

/// Which principals may call an operation, whatever their roles are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone, without a token.
    Anyone,
    /// The organization.
    Organization,
    /// The organization, and an application whose token has the capability.
    Application(Capability),
    /// The organization, an application that may manage endpoints, and the subscription that
    /// configures itself.
    AutoConfig,
    /// The organization, an application whose token has the capability, the token of the polling
    /// endpoint, and the subscription that the endpoint belongs to.
    Polling(Capability),
}

impl Access {
    /// Whether applications can change something with the operation.
    pub(crate) const fn changes(self) -> bool {
        match self {
            Self::Anyone
            | Self::Organization
            | Self::Polling(_)
            | Self::Application(Capability::ViewBase | Capability::ViewEndpointSecret) => false,
            Self::AutoConfig
            | Self::Application(
                Capability::ManageEndpointSecret
                | Capability::ManageTransformations
                | Capability::CreateAttempts
                | Capability::ManageEndpoint,
            ) => true,
        }
    }
}
