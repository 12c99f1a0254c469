//! What the requests to a source are verified with.

use std::time::Duration;

use http::Method;
use postrider::api::{
    IngestSourceOut, SourceSecretRotateIn, SourceSecretsOut,
    endpoint::{DEFAULT_GRACE_SECONDS, MAX_GRACE_SECONDS},
    ingest,
};
use postrider_core::{
    catalog::{MAX_SOURCE_SECRETS, SourceSecret},
    time::Timestamp,
};

use super::{TAG, fields, replace};
use crate::{
    api::{
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::{Operation, operation},
        problems::Problems,
        reply::Shown,
    },
    operations::{call::Call, secrets},
};

pub(super) fn operations() -> Vec<Operation> {
    let all = "/ingest/api/v1/source/{source_id}/secret";
    let new = "/ingest/api/v1/source/{source_id}/secret/rotate";
    vec![
        operation(
            Method::GET,
            all,
            "v1.ingest.source.get-secret",
            TAG,
            "Get what a source verifies with",
        )
        .run(get),
        operation(
            Method::POST,
            new,
            "v1.ingest.source.rotate-secret",
            TAG,
            "Replace what a source verifies with",
        )
        .run(rotate),
    ]
}

/// Providers hand some secrets over to us rather than to people, who need them too.
async fn get(call: Call, (): (), (): ()) -> Result<Shown<SourceSecretsOut>, ApiError> {
    let source = call.source().await?;
    let secrets = source.secrets.iter().map(|it| opened(&call, it)).collect::<Result<_, _>>()?;
    Ok(Shown(SourceSecretsOut { secrets }))
}

fn opened(call: &Call, it: &SourceSecret) -> Result<ingest::SourceSecret, ApiError> {
    let key = secrets::open_text(call, &it.secret)?;
    Ok(ingest::SourceSecret { key: key.to_string(), until: it.until.map(to_wire) })
}

async fn rotate(
    call: Call,
    (): (),
    Json(body): Json<SourceSecretRotateIn>,
) -> Result<Shown<IngestSourceOut>, ApiError> {
    let _turn = call.context.exclusive(call.source().await?.application).await;
    let mut source = call.source().await?;
    let mut problems = Problems::within(&["body"]);
    if let Err(message) = fields::check_secret(&source, &body.secret) {
        problems.add(&["secret"], message);
    }
    let grace = body.grace_period_seconds.unwrap_or(DEFAULT_GRACE_SECONDS);
    if grace > MAX_GRACE_SECONDS {
        problems.add(&["gracePeriodSeconds"], format!("must be {MAX_GRACE_SECONDS} at most"));
    }
    problems.finish()?;
    retire(&mut source.secrets, call.now, call.now + Duration::from_secs(grace.into()));
    if source.secrets.len() >= MAX_SOURCE_SECRETS {
        let detail = "10 secrets still verify; wait until one of them ends".to_owned();
        return Err(ApiError::Bad { code: "too_many_keys", detail });
    }
    let secret = secrets::seal_text(&call, &body.secret);
    source.secrets.insert(0, SourceSecret { secret, until: None });
    replace(&call, source).await.map(Shown)
}

/// Lets the secrets end by `until`, those that have ended at once.
fn retire(secrets: &mut Vec<SourceSecret>, now: Timestamp, until: Timestamp) {
    for secret in secrets.iter_mut() {
        secret.until = Some(secret.until.map_or(until, |it| it.min(until)));
    }
    secrets.retain(|it| it.until.is_none_or(|until| until > now));
}
