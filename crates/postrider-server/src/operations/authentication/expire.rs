//! Expiring tokens before their time.

use std::time::Duration;

use postrider::{
    ApplicationId, OrganizationId,
    api::{
        ApplicationTokenExpireIn, OrganizationTokenExpireIn, Permission,
        authentication::{MAX_EXPIRE_SECONDS, MAX_SESSIONS},
    },
};
use postrider_core::access::{TokenCutoff, TokenPolicy, TooManyCutoffs, add_cutoff};
use postrider_store::{Expected, IdOrUid, Records};

use super::SESSION;
use crate::{
    api::{
        body::Json, error::ApiError, operation::operations, problems::Problems, reply::NoContent,
    },
    operations::{application, call::Call},
    race,
};

operations! {
    tag "Authentication";

    /// Expire the tokens of an application that have been created so far
    ExpireAll "v1.authentication.expire-all" = POST "/api/v1/auth/app/{app_id}/expire-all"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<ApplicationTokenExpireIn> }
        -> NoContent = expire_of_application,
        needs(Permission::Operate);

    /// Expire the tokens of the organization that have been created so far
    ExpireOrganization "v1.authentication.expire-organization" = POST "/api/v1/auth/expire-all"
        body { Json<OrganizationTokenExpireIn> }
        -> NoContent = expire_of_organization,
        needs(Permission::Administer);
}

async fn expire_of_application(call: Call, input: ExpireAll) -> Result<NoContent, ApiError> {
    let cutoffs = cutoffs(&call, &input.body)?;
    let id = call.application(&input.app_id).await?.application.id;
    race::retry(|| add_to_application(&call, id, &cutoffs)).await.map(|()| NoContent)
}

async fn add_to_application(
    call: &Call,
    id: ApplicationId,
    new: &[TokenCutoff],
) -> Result<(), ApiError> {
    let _lock = call.locks().application(id).await;
    let (mut application, version) = application::current(call, id).await?;
    add(&mut application.cutoffs, new)?;
    application::save(call, application, Expected::Version(version)).await
}

async fn expire_of_organization(
    call: Call,
    input: ExpireOrganization,
) -> Result<NoContent, ApiError> {
    let body = ApplicationTokenExpireIn { expiry: input.body.expiry, session_ids: None };
    let cutoffs = cutoffs(&call, &body)?;
    race::retry(|| add_to_organization(&call, &cutoffs)).await?;
    call.engine().access_changed();
    Ok(NoContent)
}

async fn add_to_organization(call: &Call, new: &[TokenCutoff]) -> Result<(), ApiError> {
    let organization = call.organization();
    let key = IdOrUid::<OrganizationId>::Id(organization.clone());
    let found = call.store().get_versioned::<TokenPolicy>(organization, &key).await?;
    let none = || TokenPolicy { organization: organization.clone(), cutoffs: Vec::new() };
    let (mut policy, expected) = found.map_or_else(
        || (none(), Expected::New),
        |(policy, version)| (policy, Expected::Version(version)),
    );
    add(&mut policy.cutoffs, new)?;
    call.store().save(&policy, expected).await?;
    Ok(())
}

fn add(cutoffs: &mut Vec<TokenCutoff>, new: &[TokenCutoff]) -> Result<(), ApiError> {
    let too_many = |error: TooManyCutoffs| ApiError::Bad {
        code: "too_many_sessions",
        detail: error.to_string(),
    };
    new.iter().try_for_each(|it| add_cutoff(cutoffs, it.clone())).map_err(too_many)
}

/// What the request asks for: one cutoff for each session, or one for all tokens.
fn cutoffs(call: &Call, body: &ApplicationTokenExpireIn) -> Result<Vec<TokenCutoff>, ApiError> {
    let mut problems = Problems::within(&["body"]);
    let expiry = body.expiry.unwrap_or_default();
    let range = format!("must be 0 to {MAX_EXPIRE_SECONDS} seconds");
    problems.require(expiry <= MAX_EXPIRE_SECONDS, "expiry", &range);
    let sessions = body.session_ids.as_deref().unwrap_or_default();
    let is_bounded = sessions.len() <= MAX_SESSIONS;
    problems.require(is_bounded, "sessionIds", &format!("has more than {MAX_SESSIONS} items"));
    let are_valid = sessions.iter().all(|session| SESSION.allows(session));
    problems.require(are_valid, "sessionIds", &SESSION.sentence());
    problems.finish()?;
    let expires_at = call.now + Duration::from_secs(expiry);
    let cutoff = |session| TokenCutoff { issued_until: call.now, expires_at, session };
    if sessions.is_empty() {
        return Ok(vec![cutoff(None)]);
    }
    Ok(sessions.iter().cloned().map(Some).map(cutoff).collect())
}
