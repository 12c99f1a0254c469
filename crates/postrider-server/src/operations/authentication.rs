//! Tokens for the owners of applications.

pub mod expire;
pub mod message_token;
pub mod one_time;
pub mod whoami;

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use postrider::{
    ApplicationId,
    api::{
        AppPortalAccessIn, AppPortalAccessOut, Capability, Permission,
        authentication::{
            DEFAULT_EXPIRY_SECONDS, EXPIRY_SECONDS, MAX_SESSION_ID, SESSION_ID_MARKS,
        },
    },
    name::MAX_NAME,
};
use postrider_core::{catalog::EndedToken, time::Timestamp};
use postrider_store::{Expected, IdOrUid};
use serde_json::json;

use super::application;
use crate::{
    api::{
        access::Access,
        body::{Json, OptionalJson},
        error::ApiError,
        operation::operations,
        problems::{Problems, WordRule},
        reply::{Done, NoContent},
    },
    auth::token::{self, ApplicationGrant, Grant, LEEWAY},
    operations::{
        audited::of_application,
        call::{ApplicationPath, Call},
    },
    race,
};

/// Tokens of one application that can be logged out at a time. The application stores them.
const MAX_ENDED_TOKENS: usize = 1_000;

pub(super) const SESSION: WordRule = WordRule {
    field: "sessionId",
    min_items: 1,
    max_items: 1,
    max_length: MAX_SESSION_ID,
    marks: SESSION_ID_MARKS,
};
const FLAGS: WordRule = WordRule {
    field: "featureFlags",
    min_items: 0,
    max_items: 100,
    max_length: MAX_NAME,
    marks: "-_.",
};

operations! {
    tag "Authentication";

    /// Create a token for an application's owner
    AppPortalAccess "v1.authentication.app-portal-access" = POST "/api/v1/auth/app-portal-access/{app_id}"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<AppPortalAccessIn> }
        -> Done<AppPortalAccessOut> = app_portal_access,
        needs(Permission::Operate);

    /// Create a token for an application's owner, for clients older than app-portal-access
    DashboardAccess "v1.authentication.dashboard-access" = POST "/api/v1/auth/dashboard-access/{app_id}"
        path { app_id: IdOrUid<ApplicationId> }
        body { OptionalJson<AppPortalAccessIn> }
        -> Done<AppPortalAccessOut> = dashboard_access,
        needs(Permission::Operate);

    /// Revoke the application's token that the request uses
    Logout "v1.authentication.logout" = POST "/api/v1/auth/logout"
        -> NoContent = logout,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Any);
}

async fn app_portal_access(
    call: Call,
    input: AppPortalAccess,
) -> Result<Done<AppPortalAccessOut>, ApiError> {
    grant_access(&call, (&input.app_id).into(), input.body).await.map(Done)
}

async fn dashboard_access(
    call: Call,
    input: DashboardAccess,
) -> Result<Done<AppPortalAccessOut>, ApiError> {
    grant_access(&call, (&input.app_id).into(), input.body).await.map(Done)
}

/// Creates a token of the application that the path names.
pub(super) async fn grant_access(
    call: &Call,
    path: ApplicationPath<'_>,
    body: AppPortalAccessIn,
) -> Result<AppPortalAccessOut, ApiError> {
    let (expiry, feature_flags) = check(&body)?;
    let entry = application::find_or_create(call, path, body.application, &["body"]).await?;
    let id = entry.application.id;
    let capabilities = match body.read_only {
        Some(true) => Some(BTreeSet::from([Capability::ViewBase])),
        Some(false) | None => body.capabilities,
    };
    let session = body.session_id.unwrap_or_else(|| random_session(call));
    let grant = Grant {
        application: Some(ApplicationGrant {
            id,
            capabilities,
            feature_flags,
            session: Some(session),
            key: None,
        }),
        expires_at: Some(call.now + expiry),
        ..Grant::of(call.organization().clone())
    };
    let requested = [
        ("expiry", json!(expiry.as_secs())),
        ("session", json!(grant.application.as_ref().and_then(|it| it.session.as_ref()))),
        ("capabilities", json!(grant.application.as_ref().map(|it| &it.capabilities))),
    ];
    call.store().record(of_application("application", id, id), requested).await?;
    let token = token::mint(&grant, &call.settings().jwt_secret, call.now);
    Ok(AppPortalAccessOut { url: link(call, id, &token), token })
}

fn check(body: &AppPortalAccessIn) -> Result<(Duration, BTreeSet<String>), ApiError> {
    let mut problems = Problems::within(&["body"]);
    let expiry = body.expiry.unwrap_or(DEFAULT_EXPIRY_SECONDS);
    if !EXPIRY_SECONDS.contains(&expiry) {
        let (least, most) = (EXPIRY_SECONDS.start(), EXPIRY_SECONDS.end());
        problems.add(&["expiry"], format!("must be {least} to {most} seconds"));
    }
    let is_some = body.capabilities.as_ref().is_none_or(|it| !it.is_empty());
    problems.require(is_some, "capabilities", "must name at least one; leave it out for all");
    if let Some(session) = &body.session_id {
        problems.require(SESSION.allows(session), SESSION.field, &SESSION.sentence());
    }
    let flags = body.feature_flags.iter().flatten().cloned().collect();
    let flags = problems.words(&FLAGS, flags).into_iter().collect();
    problems.finish_with((Duration::from_secs(expiry), flags))
}

fn random_session(call: &Call) -> String {
    let mut random = [0; 16];
    call.engine().clock().random(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}

/// A link with the token behind the `#`, where no server and no log sees it.
fn link(call: &Call, application: ApplicationId, token: &str) -> String {
    let key = json!({ "appId": application, "token": token }).to_string();
    let portal = call.settings().portal_url.trim_end_matches('/');
    format!("{portal}/login#key={}", BASE64_STANDARD.encode(key))
}

/// Revokes the principal's token. The application remembers it until the token expires.
async fn logout(call: Call, _: Logout) -> Result<NoContent, ApiError> {
    race::retry(|| revoke(&call)).await.map(|()| NoContent)
}

async fn revoke(call: &Call) -> Result<(), ApiError> {
    let grant = &call.principal.grant;
    let Some(own) = &grant.application else {
        return Err(ApiError::Forbidden("only an application's token can be logged out"));
    };
    let _lock = call.locks().application(own.id).await;
    let (mut application, version) = application::current(call, own.id).await?;
    let ended = &mut application.ended_tokens;
    ended.retain(|it| it.until > call.now);
    if ended.len() >= MAX_ENDED_TOKENS {
        let detail = format!("{MAX_ENDED_TOKENS} tokens of the application are logged out already");
        return Err(ApiError::Bad { code: "too_many_tokens", detail });
    }
    let until = grant.expires_at.map_or(Timestamp::MAX, |at| at + LEEWAY);
    ended.push(EndedToken { digest: call.principal.token, until });
    application::save(call, application, Expected::Version(version)).await
}
