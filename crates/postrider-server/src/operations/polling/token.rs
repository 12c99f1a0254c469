//! The tokens of a polling endpoint.

use std::time::Duration;

use postrider::{
    ApplicationId,
    api::{
        ApiTokenOut, Capability, Permission,
        polling::{
            DEFAULT_OLD_TOKEN_EXPIRY_SECONDS, MAX_OLD_TOKEN_EXPIRY_SECONDS,
            MAX_POLLING_TOKEN_EXPIRY_SECONDS, RotatePollerTokenIn,
        },
    },
};
use postrider_core::{
    catalog::Endpoint,
    polling::{MAX_POLLING_TOKENS, PollingToken, TokenName},
    time::Timestamp,
};
use postrider_store::{Expected, IdOrUid, Records};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Polled, PolledId, find};
use crate::{
    api::{
        access::Access,
        body::OptionalJson,
        convert::to_wire,
        error::ApiError,
        operation::{Idempotency, operations},
        problems::Problems,
        reply::{Created, Done},
    },
    operations::{audited::of_application, call::Call, secrets},
    race,
};

operations! {
    tag "Authentication";

    /// Get the token of a polling endpoint, which is created if there is none
    GetToken "v1.authentication.get-poller-token" = GET "/api/v1/auth/app/{app_id}/poller/{endpoint_id}/token"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<PolledId> }
        -> Done<ApiTokenOut> = get,
        access(Access::Application(Capability::ViewEndpointSecret)),
        needs(Permission::ReadSecrets);

    /// Replace the token of a polling endpoint
    RotateToken "v1.authentication.rotate-poller-token" = POST "/api/v1/auth/app/{app_id}/poller/{endpoint_id}/token/rotate"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<PolledId> }
        body { OptionalJson<RotatePollerTokenIn> }
        -> Created<ApiTokenOut> = rotate,
        access(Access::Application(Capability::ManageEndpointSecret)),
        needs(Permission::Operate),
        idempotency(Idempotency::Unkeyed);
}

async fn get(call: Call, input: GetToken) -> Result<Done<ApiTokenOut>, ApiError> {
    let Polled { endpoint, .. } = find(&call, &input.app_id, &input.endpoint_id).await?;
    let current = endpoint.polling_tokens.first().filter(|it| it.is_valid(call.now));
    let Some(current) = current else {
        let made = race::retry(|| replace(&call, &endpoint, Validity::default())).await?;
        return Ok(Done(made));
    };
    let record = of_application("endpoint", endpoint.id, endpoint.application);
    call.store().record(record, [("revealed", json!("the polling token"))]).await?;
    let token = secrets::open_text(&call, &current.sealed)?;
    Ok(Done(shown(current, token.as_str().to_owned())))
}

async fn rotate(call: Call, input: RotateToken) -> Result<Created<ApiTokenOut>, ApiError> {
    let validity = check(&input.body)?;
    let Polled { endpoint, .. } = find(&call, &input.app_id, &input.endpoint_id).await?;
    race::retry(|| replace(&call, &endpoint, validity)).await.map(Created)
}

/// How long tokens are valid.
#[derive(Clone, Copy, Debug)]
struct Validity {
    /// The new token; `None` for ever.
    new: Option<Duration>,
    /// The one that it replaces.
    old: Duration,
}

impl Default for Validity {
    fn default() -> Self {
        Self { new: None, old: Duration::from_secs(DEFAULT_OLD_TOKEN_EXPIRY_SECONDS) }
    }
}

fn check(body: &RotatePollerTokenIn) -> Result<Validity, ApiError> {
    let mut problems = Problems::within(&["body"]);
    let most = MAX_POLLING_TOKEN_EXPIRY_SECONDS;
    if body.expiry.is_some_and(|it| !(1..=most).contains(&it)) {
        problems.add(&["expiry"], format!("must be 1 to {most} seconds"));
    }
    let old = body.old_token_expiry.unwrap_or(DEFAULT_OLD_TOKEN_EXPIRY_SECONDS);
    if old > MAX_OLD_TOKEN_EXPIRY_SECONDS {
        let message = format!("must be at most {MAX_OLD_TOKEN_EXPIRY_SECONDS} seconds");
        problems.add(&["oldTokenExpiry"], message);
    }
    problems.finish_with(Validity {
        new: body.expiry.map(Duration::from_secs),
        old: Duration::from_secs(old),
    })
}

/// Gives the endpoint a new token. Those before it end soon.
async fn replace(
    call: &Call,
    known: &Endpoint,
    validity: Validity,
) -> Result<ApiTokenOut, ApiError> {
    let _lock = call.locks().application(known.application).await;
    let named = IdOrUid::Id(known.id);
    let found = call.store().get_versioned::<Endpoint>(&known.application, &named).await?;
    let (mut endpoint, version) = found.ok_or(ApiError::NotFound("endpoint"))?;
    let (made, token) = make(call, &endpoint, validity.new);
    let ends_at = call.now + validity.old;
    endpoint.polling_tokens = kept(endpoint.polling_tokens, &made, call.now, ends_at);
    endpoint.updated_at = call.now;
    call.store().save(&endpoint, Expected::Version(version)).await?;
    call.engine().changed(endpoint.application).await?;
    Ok(shown(&made, token))
}

/// The tokens of an endpoint with a new one, newest first. The others end by then.
fn kept(
    old: Vec<PollingToken>,
    new: &PollingToken,
    now: Timestamp,
    ends_at: Timestamp,
) -> Vec<PollingToken> {
    let ending = old.into_iter().map(|it| {
        let expires_at = Some(it.expires_at.map_or(ends_at, |at| at.min(ends_at)));
        PollingToken { expires_at, ..it }
    });
    let valid = ending.filter(|it| it.is_valid(now));
    std::iter::once(new.clone()).chain(valid).take(MAX_POLLING_TOKENS).collect()
}

fn make(call: &Call, endpoint: &Endpoint, lasts: Option<Duration>) -> (PollingToken, String) {
    let mut random = [0; 24];
    let clock = call.engine().clock();
    clock.random(&mut random);
    let name = TokenName { application: endpoint.application, endpoint: endpoint.id };
    let token = name.token(random);
    let made = PollingToken {
        id: clock.api_key_id(),
        digest: Sha256::digest(&token).into(),
        sealed: secrets::seal_text_exactly(call, &token),
        created_at: call.now,
        expires_at: lasts.map(|it| call.now + it),
    };
    (made, token)
}

fn shown(it: &PollingToken, token: String) -> ApiTokenOut {
    ApiTokenOut {
        token,
        id: it.id,
        name: "polling token".to_owned(),
        created_at: to_wire(it.created_at),
        expires_at: it.expires_at.map(to_wire),
        scopes: vec!["polling".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use postrider::ApiKeyId;
    use postrider_core::catalog::SealedSecret;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn token(id: u128, expires_at: Option<u64>) -> PollingToken {
        PollingToken {
            id: ApiKeyId::from_u128(id),
            digest: [0; 32],
            sealed: SealedSecret(Vec::new()),
            created_at: at(0),
            expires_at: expires_at.map(at),
        }
    }

    #[test]
    fn a_new_token_shortens_the_validity_of_the_others_and_never_lengthens_it() {
        let old =
            vec![token(4, None), token(3, Some(500)), token(2, Some(120)), token(1, Some(90))];
        let kept = kept(old, &token(5, None), at(100), at(400));
        let shown: Vec<_> = kept.iter().map(|it| (it.id.as_u128(), it.expires_at)).collect();
        let until = |seconds| Some(at(seconds));
        assert_eq!(shown, [(5, None), (4, until(400)), (3, until(400)), (2, until(120))]);
    }

    #[test]
    fn without_a_grace_period_the_old_tokens_end_at_once() {
        let kept = kept(vec![token(1, None)], &token(2, None), at(100), at(100));
        assert_eq!(kept.len(), 1);
    }

    #[test]
    fn the_number_of_tokens_has_a_limit() {
        let old = (1..=20).map(|id| token(id, None)).collect();
        assert_eq!(kept(old, &token(0, None), at(0), at(9)).len(), MAX_POLLING_TOKENS);
    }
}
