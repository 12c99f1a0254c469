//! Access rules: which principals may call an operation.

use postrider::api::{Capability, Permission};
use postrider_core::access::permits;

use crate::{
    api::{access::Access, error::ApiError, operation::Declaration},
    auth::{key::KeyId, principal::Principal, token::ApplicationGrant},
};

/// Checks that the principal may call the operation.
pub(crate) fn check(declaration: &Declaration, principal: &Principal) -> Result<(), ApiError> {
    if declaration.access == Access::Anyone {
        return Ok(());
    }
    check_scope(declaration, principal)?;
    check_role(declaration.permission(), principal)
}

/// Checks that the principal's role has the permission. The token of an application has
/// capabilities instead of a role.
pub(crate) fn check_role(permission: Permission, principal: &Principal) -> Result<(), ApiError> {
    if principal.has_capabilities() || permits(principal.grant.role, permission) {
        return Ok(());
    }
    Err(ApiError::Forbidden(refusal(permission)))
}

fn check_scope(declaration: &Declaration, principal: &Principal) -> Result<(), ApiError> {
    match (declaration.access, &principal.grant.application) {
        (Access::Anyone, _) | (_, None) => Ok(()),
        (Access::Organization, Some(_)) if principal.has_capabilities() => {
            Err(ApiError::Forbidden("this needs a token of the organization"))
        },
        (Access::Organization, Some(_)) if declaration.is_of_application() => Ok(()),
        (Access::Organization, Some(_)) => {
            Err(ApiError::Forbidden("this needs a key that is not limited to one application"))
        },
        (Access::Application(capability), Some(application)) if allows(application, capability) => {
            Ok(())
        },
        (Access::AutoConfig, Some(application))
            if configures_itself(application)
                || allows(application, Capability::ManageEndpoint) =>
        {
            Ok(())
        },
        (Access::Polling(capability), Some(application))
            if polls(application) || allows(application, capability) =>
        {
            Ok(())
        },
        (Access::Application(_) | Access::AutoConfig | Access::Polling(_), Some(_)) => {
            Err(ApiError::Forbidden("the token does not have the capability for this"))
        },
    }
}

/// Why a role is not enough.
const fn refusal(permission: Permission) -> &'static str {
    match permission {
        Permission::Any => "this needs a key or a token",
        Permission::Read => "this needs the role viewer, operator or admin",
        Permission::ReadSecrets | Permission::Operate => "this needs the role operator or admin",
        Permission::Publish => "this needs the role publisher, operator or admin",
        Permission::Administer => "this needs the role admin",
    }
}

fn configures_itself(application: &ApplicationGrant) -> bool {
    application.key.as_ref().is_some_and(|key| matches!(key.id, KeyId::AutoConfig(..)))
}

/// Whether it is a token that polls. The operation checks whether the endpoint is the right one.
fn polls(application: &ApplicationGrant) -> bool {
    application.key.as_ref().is_some_and(|key| match key.id {
        KeyId::Polling(_) | KeyId::AutoConfig(..) => true,
        KeyId::Integration(_) => false,
    })
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
