//! One-time tokens, which are exchanged for a token: for sign-in links.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use postrider::api::{
    OneTimeTokenCreateIn, OneTimeTokenCreatedOut, OneTimeTokenIn, OneTimeTokenOut, Permission,
    Role,
    authentication::{DEFAULT_ONE_TIME_SECONDS, ONE_TIME_SECONDS},
};
use postrider_core::audit::AuditedRecord;
use postrider_store::KeyReservation;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::{Idempotency, operations},
        problems::Problems,
        reply::Done,
    },
    auth::{
        Principal,
        authenticator::refused,
        token::{self, Grant},
    },
    operations::call::Call,
};

operations! {
    tag "Authentication";

    /// Exchange a one-time token for a token
    ExchangeOneTimeToken "v1.authentication.exchange-one-time-token" = POST "/api/v1/auth/one-time-token"
        body { Json<OneTimeTokenIn> }
        -> Done<OneTimeTokenOut> = exchange,
        access(Access::Anyone),
        needs(Permission::Any),
        idempotency(Idempotency::Unkeyed);

    /// Create a one-time token and a sign-in link
    CreateOneTimeToken "v1.authentication.create-one-time-token" = POST "/api/v1/auth/one-time-token/create"
        body { Json<OneTimeTokenCreateIn> }
        -> Done<OneTimeTokenCreatedOut> = create,
        needs(Permission::Administer),
        idempotency(Idempotency::Unkeyed);
}

async fn create(
    call: Call,
    input: CreateOneTimeToken,
) -> Result<Done<OneTimeTokenCreatedOut>, ApiError> {
    let expiry = check(input.body.expiry)?;
    let role = input.body.role.unwrap_or(Role::Admin);
    let grant = Grant {
        role,
        expires_at: Some(call.now + expiry),
        user: call.principal.grant.user.clone(),
        ..Grant::of(call.organization().clone())
    };
    let requested = [("role", json!(role)), ("expiry", json!(expiry.as_secs()))];
    call.store().record(record(&call.principal), requested).await?;
    let settings = call.settings();
    let one_time_token =
        token::mint_one_time(&grant, settings.token_expiry, &settings.jwt_secret, call.now);
    let url = sign_in_link(&settings.portal_url, &one_time_token);
    Ok(Done(OneTimeTokenCreatedOut { url, one_time_token }))
}

fn check(expiry: Option<u64>) -> Result<Duration, ApiError> {
    let mut problems = Problems::within(&["body"]);
    let expiry = expiry.unwrap_or(DEFAULT_ONE_TIME_SECONDS);
    let (least, most) = (ONE_TIME_SECONDS.start(), ONE_TIME_SECONDS.end());
    let range = format!("must be {least} to {most} seconds");
    problems.require(ONE_TIME_SECONDS.contains(&expiry), "expiry", &range);
    problems.finish_with(Duration::from_secs(expiry))
}

/// The store reserves the digest of the token, so that of all nodes only one exchanges it.
async fn exchange(
    call: Call,
    input: ExchangeOneTimeToken,
) -> Result<Done<OneTimeTokenOut>, ApiError> {
    let text = input.body.one_time_token;
    let authenticator = &call.resources.authenticator;
    let one_time = authenticator.verify_one_time(&text, call.now)?;
    let digest: [u8; 32] = Sha256::digest(format!("one-time {text}")).into();
    if call.reader().reserve_key(digest, digest, call.now).await? != KeyReservation::Acquired {
        return Err(refused("the one-time token was used already; create another one"));
    }
    // From now on, the key expires like those of other requests, which is later than the token.
    call.reader().complete_key(digest, Some(Vec::new()), call.now).await?;
    let grant = Grant { expires_at: Some(call.now + one_time.lasts), ..one_time.grant };
    let principal = Principal::new(grant.clone());
    call.store().on_behalf_of(&principal).record(record(&principal), []).await?;
    let token = token::mint(&grant, &call.settings().jwt_secret, call.now);
    Ok(Done(OneTimeTokenOut { token, capabilities: Vec::new() }))
}

fn record(principal: &Principal) -> AuditedRecord {
    AuditedRecord {
        kind: "one-time token".to_owned(),
        id: principal.actor.id.clone(),
        application: None,
    }
}

/// A link with the token behind the `#`, where no server and no log sees it.
pub fn sign_in_link(portal_url: &str, one_time_token: &str) -> String {
    let key = json!({ "oneTimeToken": one_time_token }).to_string();
    format!("{}/login#key={}", portal_url.trim_end_matches('/'), BASE64_STANDARD.encode(key))
}
