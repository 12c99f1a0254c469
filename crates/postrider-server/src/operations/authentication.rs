//! Tokens for the customers of our user.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;
use postrider::{
    ApplicationId,
    api::{
        AppPortalAccessIn, AppPortalAccessOut, Capability,
        authentication::{
            DEFAULT_EXPIRY_SECONDS, EXPIRY_SECONDS, MAX_SESSION_ID, SESSION_ID_MARKS,
        },
    },
    name::MAX_NAME,
};
use postrider_core::{catalog::EndedToken, time::Timestamp};
use serde_json::json;

use super::application;
use crate::{
    api::{
        body::{Json, Optional},
        error::ApiError,
        operation::{Operation, operation},
        problems::{Problems, Words},
        reply::{NoContent, Shown},
    },
    auth::{
        Access, LEEWAY,
        token::{self, ApplicationGrant, Grant},
    },
    operations::call::Call,
};

const TAG: &str = "Authentication";

/// Tokens of one application that can be logged out at a time.
const MAX_ENDED_TOKENS: usize = 1_000;

const SESSION: Words = Words {
    field: "sessionId",
    least: 1,
    most: 1,
    length: MAX_SESSION_ID,
    marks: SESSION_ID_MARKS,
};
const FLAGS: Words =
    Words { field: "featureFlags", least: 0, most: 100, length: MAX_NAME, marks: "-_." };

pub(super) fn operations() -> Vec<Operation> {
    let portal = "/api/v1/auth/app-portal-access/{app_id}";
    let dashboard = "/api/v1/auth/dashboard-access/{app_id}";
    let logout_path = "/api/v1/auth/logout";
    vec![
        operation(
            Method::POST,
            portal,
            "v1.authentication.app-portal-access",
            TAG,
            "Make a token for an application's owner",
        )
        .run(grant_access),
        operation(
            Method::POST,
            dashboard,
            "v1.authentication.dashboard-access",
            TAG,
            "Make a token for an application's owner, as clients before app-portal-access did",
        )
        .run(async |call, (), Optional(body)| grant_access(call, (), Json(body)).await),
        operation(
            Method::POST,
            logout_path,
            "v1.authentication.logout",
            TAG,
            "End the session of an application's token",
        )
        .by(Access::Application(Capability::ViewBase))
        .run(logout),
    ]
}

pub(super) async fn grant_access(
    call: Call,
    (): (),
    Json(body): Json<AppPortalAccessIn>,
) -> Result<Shown<AppPortalAccessOut>, ApiError> {
    let (expiry, feature_flags) = check(&body)?;
    let entry = application::find_or_create(&call, body.application, &["body"]).await?;
    let id = entry.application.id;
    let capabilities = match body.read_only {
        Some(true) => Some(BTreeSet::from([Capability::ViewBase])),
        Some(false) | None => body.capabilities,
    };
    let session = body.session_id.unwrap_or_else(|| random_session(&call));
    let grant = Grant {
        organization: call.organization().clone(),
        application: Some(ApplicationGrant {
            id,
            capabilities,
            feature_flags,
            session: Some(session),
        }),
        expires_at: Some(call.now + expiry),
    };
    let token = token::mint(&grant, &call.settings().jwt_secret, call.now);
    Ok(Shown(AppPortalAccessOut { url: link(&call, id, &token), token }))
}

fn check(body: &AppPortalAccessIn) -> Result<(Duration, BTreeSet<String>), ApiError> {
    let mut problems = Problems::within(&["body"]);
    let expiry = body.expiry.unwrap_or(DEFAULT_EXPIRY_SECONDS);
    if !EXPIRY_SECONDS.contains(&expiry) {
        let (least, most) = (EXPIRY_SECONDS.start(), EXPIRY_SECONDS.end());
        problems.add(&["expiry"], format!("must be {least} to {most} seconds"));
    }
    let is_some = body.capabilities.as_ref().is_none_or(|it| !it.is_empty());
    problems.demand(is_some, "capabilities", "must name at least one; leave it out for all");
    if let Some(session) = &body.session_id {
        problems.demand(SESSION.allows(session), SESSION.field, &SESSION.sentence());
    }
    let flags = body.feature_flags.iter().flatten().cloned().collect();
    let flags = problems.words(&FLAGS, flags).into_iter().collect();
    problems.or((Duration::from_secs(expiry), flags))
}

fn random_session(call: &Call) -> String {
    let mut random = [0; 16];
    call.engine().clock().random(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}

/// A link that carries the token where no server sees it, behind the `#`.
fn link(call: &Call, application: ApplicationId, token: &str) -> String {
    let key = json!({ "appId": application, "token": token }).to_string();
    let portal = call.settings().portal_url.trim_end_matches('/');
    format!("{portal}/login#key={}", BASE64_STANDARD.encode(key))
}

/// Ends the caller's token. That is kept with the application until the token would have
/// ended anyway.
async fn logout(call: Call, (): (), (): ()) -> Result<NoContent, ApiError> {
    let grant = &call.caller.grant;
    let Some(own) = &grant.application else {
        return Err(ApiError::Forbidden("only an application's token can be logged out"));
    };
    let _turn = call.context.exclusive(own.id).await;
    let found = call.store().application_by_id(own.id).await?;
    let mut application = found.ok_or(ApiError::NotFound("application"))?;
    let ended = &mut application.ended_tokens;
    ended.retain(|it| it.until > call.now);
    if ended.len() >= MAX_ENDED_TOKENS {
        let detail = format!("{MAX_ENDED_TOKENS} tokens of the application are logged out already");
        return Err(ApiError::Bad { code: "too_many_tokens", detail });
    }
    let until = grant.expires_at.map_or(Timestamp::MAX, |at| at + LEEWAY);
    ended.push(EndedToken { digest: call.caller.token, until });
    application::save(&call, application, false).await?;
    Ok(NoContent)
}
