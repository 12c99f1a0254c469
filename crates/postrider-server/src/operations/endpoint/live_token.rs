//! Tokens for the readers of `live` endpoints.

use std::time::Duration;

use postrider::{
    ApplicationId, EndpointId,
    api::{
        Capability, EndpointKind, Permission,
        endpoint::{CHANNEL_MARKS, MAX_CHANNEL},
        live::{
            DEFAULT_LIVE_EXPIRY_SECONDS, LIVE_EXPIRY_SECONDS, LiveTokenIn, LiveTokenOut,
            MAX_LIVE_NAMES,
        },
    },
};
use postrider_core::live::Scope;
use postrider_store::IdOrUid;
use serde_json::json;

use crate::{
    api::{
        access::Access,
        body::OptionalJson,
        convert::to_wire,
        error::ApiError,
        operation::operations,
        problems::{Problems, WordRule},
        reply::Done,
    },
    live::{
        path_of,
        token::{LiveGrant, mint},
    },
    operations::{
        audited::of_application,
        call::{self, Call},
    },
};

const CHANNELS: WordRule = WordRule {
    field: "channels",
    min_items: 1,
    max_items: MAX_LIVE_NAMES,
    max_length: MAX_CHANNEL,
    marks: CHANNEL_MARKS,
};

operations! {
    tag "Endpoint";

    /// Create a token for a reader of a live endpoint
    CreateLiveToken "v1.endpoint.live-token" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/live-token"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { OptionalJson<LiveTokenIn> }
        -> Done<LiveTokenOut> = create,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);
}

async fn create(call: Call, input: CreateLiveToken) -> Result<Done<LiveTokenOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let endpoint = call::endpoint(&entry, &input.endpoint_id)?;
    if endpoint.kind != EndpointKind::Live {
        let detail =
            format!("the endpoint is of kind `{}`; only `live` has readers", endpoint.kind);
        return Err(ApiError::Bad { code: "not_live", detail });
    }
    let (lasts, scope) = check(input.body)?;
    let principal = &call.principal;
    let expires_at = call.now + lasts;
    let grant = LiveGrant {
        organization: entry.application.organization.clone(),
        application: entry.application.id,
        endpoint: endpoint.id,
        // Otherwise the owner of a token could prolong it.
        expires_at: principal.grant.expires_at.map_or(expires_at, |own| own.min(expires_at)),
        scope,
        creator: principal.grant.application.as_ref().map(|_| principal.token),
    };
    let requested = [("expiresAt", json!(grant.expires_at.to_rfc3339()))];
    let record = of_application("endpoint", endpoint.id, grant.application);
    call.store().record(record, requested).await?;
    let token = mint(&grant, &call.settings().jwt_secret, call.now);
    let url = call.settings().url(&path_of(endpoint.id));
    Ok(Done(LiveTokenOut {
        url: format!("{url}?token={token}"),
        token,
        expires_at: to_wire(grant.expires_at),
    }))
}

fn check(body: LiveTokenIn) -> Result<(Duration, Scope), ApiError> {
    let mut problems = Problems::within(&["body"]);
    let lasts = body.expires_in.unwrap_or(DEFAULT_LIVE_EXPIRY_SECONDS);
    if !LIVE_EXPIRY_SECONDS.contains(&lasts) {
        let (least, most) = (LIVE_EXPIRY_SECONDS.start(), LIVE_EXPIRY_SECONDS.end());
        problems.add(&["expiresIn"], format!("must be {least} to {most} seconds"));
    }
    let scope = Scope {
        event_types: body.event_types.map(|names| event_types(&mut problems, names)),
        channels: body.channels.map(|names| problems.words(&CHANNELS, names)),
    };
    problems.finish_with((Duration::from_secs(lasts), scope))
}

fn event_types(problems: &mut Problems<'_>, names: Vec<String>) -> Vec<postrider::EventTypeName> {
    let message = format!("has more than {MAX_LIVE_NAMES} items");
    problems.require(names.len() <= MAX_LIVE_NAMES, "eventTypes", &message);
    problems.event_types(names)
}
