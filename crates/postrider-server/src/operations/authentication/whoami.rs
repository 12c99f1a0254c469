//! Who the client of a request is.

use postrider::api::{Capability, Permission, PermissionSource, PrincipalKind, WhoamiOut};
use postrider_core::access::permits;

use crate::{
    api::{access::Access, error::ApiError, operation::operations, reply::Done},
    operations::call::Call,
};

operations! {
    tag "Authentication";

    /// Get the account of the token or the API key that the request uses
    Whoami "v1.authentication.whoami" = GET "/api/v1/auth/whoami"
        -> Done<WhoamiOut> = whoami,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Any);
}

async fn whoami(call: Call, _: Whoami) -> Result<Done<WhoamiOut>, ApiError> {
    let principal = &call.principal;
    let actor = principal.actor.clone();
    let application = principal.grant.application.as_ref();
    let role = Some(principal.role()).filter(|_| !principal.has_capabilities());
    let has = |permission: &Permission| role.is_some_and(|role| permits(role, *permission));
    Ok(Done(WhoamiOut {
        env_id: call.organization().clone(),
        app_id: application.map(|it| it.id),
        permission_source: match actor.kind {
            PrincipalKind::ApiKey => PermissionSource::RegionalAuthToken,
            PrincipalKind::User => PermissionSource::OidcJwt,
            PrincipalKind::OrganizationToken
            | PrincipalKind::ApplicationToken
            | PrincipalKind::Installation => PermissionSource::SvixJwt,
        },
        capabilities: application.and_then(|it| it.capabilities.clone()),
        session_id: application.and_then(|it| it.session.clone()),
        kind: actor.kind,
        id: actor.id,
        name: actor.name,
        permissions: Permission::ALL.into_iter().filter(has).collect(),
        role,
    }))
}
