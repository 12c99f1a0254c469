//! Access rules: which principals may call an operation.

use postrider::api::Capability;

use crate::{
    api::error::ApiError,
    auth::{key::KeyId, principal::Principal, token::ApplicationGrant},
};

/// Which principals may call an operation.
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
}

impl Access {
    /// Whether applications can change something with the operation.
    pub(crate) const fn changes(self) -> bool {
        match self {
            Self::Anyone
            | Self::Organization
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

    pub(crate) fn check(self, principal: &Principal) -> Result<(), ApiError> {
        match (self, &principal.grant.application) {
            (Self::Anyone, _) | (_, None) => Ok(()),
            (Self::Organization, Some(_)) => {
                Err(ApiError::Forbidden("this needs a token of the organization"))
            },
            (Self::Application(capability), Some(application))
                if allows(application, capability) =>
            {
                Ok(())
            },
            (Self::AutoConfig, Some(application))
                if configures_itself(application)
                    || allows(application, Capability::ManageEndpoint) =>
            {
                Ok(())
            },
            (Self::Application(_) | Self::AutoConfig, Some(_)) => {
                Err(ApiError::Forbidden("the token does not have the capability for this"))
            },
        }
    }
}

fn configures_itself(application: &ApplicationGrant) -> bool {
    application.key.as_ref().is_some_and(|key| matches!(key.id, KeyId::AutoConfig(..)))
}

fn allows(application: &ApplicationGrant, wanted: Capability) -> bool {
    let Some(capabilities) = &application.capabilities else { return true };
    let has = |it| capabilities.contains(&it);
    match wanted {
        // Every other capability includes reading.
        Capability::ViewBase => !capabilities.is_empty(),
        Capability::ViewEndpointSecret => {
            has(Capability::ViewEndpointSecret)
                || has(Capability::ManageEndpointSecret)
                || has(Capability::ManageEndpoint)
        },
        Capability::ManageEndpointSecret => {
            has(Capability::ManageEndpointSecret) || has(Capability::ManageEndpoint)
        },
        Capability::CreateAttempts
        | Capability::ManageEndpoint
        | Capability::ManageTransformations => has(wanted),
    }
}
