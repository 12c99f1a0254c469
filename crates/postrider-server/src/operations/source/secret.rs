//! The secrets that a source verifies requests with.

use std::time::Duration;

use postrider::{
    SourceId,
    api::{
        IngestSourceOut, Permission, SourceSecretRotateIn, SourceSecretsOut,
        endpoint_secret::{DEFAULT_GRACE_SECONDS, MAX_GRACE_SECONDS},
        ingest,
    },
};
use postrider_core::{
    catalog::{MAX_SOURCE_SECRETS, SourceSecret},
    time::Timestamp,
};

use postrider_store::IdOrUid;
use serde_json::json;

use super::{fields, replace};
use crate::{
    api::{
        body::Json, convert::to_wire, error::ApiError, operation::operations, problems::Problems,
        reply::Done,
    },
    operations::{audited::of_application, call::Call, secrets},
    race,
};

operations! {
    tag "Ingest Source";

    /// Get the secrets that a source verifies requests with
    GetSecret "v1.ingest.source.get-secret" = GET "/ingest/api/v1/source/{source_id}/secret"
        path { source_id: IdOrUid<SourceId> }
        -> Done<SourceSecretsOut> = get,
        needs(Permission::ReadSecrets);

    /// Replace the secret that a source verifies requests with
    RotateSecret "v1.ingest.source.rotate-secret" = POST "/ingest/api/v1/source/{source_id}/secret/rotate"
        path { source_id: IdOrUid<SourceId> }
        body { Json<SourceSecretRotateIn> }
        -> Done<IngestSourceOut> = rotate,
        needs(Permission::Operate);
}

/// Some providers send a secret to the server only, and people need it too.
async fn get(call: Call, input: GetSecret) -> Result<Done<SourceSecretsOut>, ApiError> {
    let source = call.source(&input.source_id).await?;
    let secrets = source.secrets.iter().map(|it| opened(&call, it)).collect::<Result<_, _>>()?;
    let record = of_application("source", source.id, source.application);
    call.store().record(record, [("revealed", json!("the secrets"))]).await?;
    Ok(Done(SourceSecretsOut { secrets }))
}

fn opened(call: &Call, it: &SourceSecret) -> Result<ingest::SourceSecret, ApiError> {
    let key = secrets::open_text(call, &it.secret)?;
    Ok(ingest::SourceSecret { key: key.to_string(), until: it.until.map(to_wire) })
}

async fn rotate(call: Call, input: RotateSecret) -> Result<Done<IngestSourceOut>, ApiError> {
    race::retry(|| try_rotate(&call, &input)).await.map(Done)
}

async fn try_rotate(call: &Call, input: &RotateSecret) -> Result<IngestSourceOut, ApiError> {
    let RotateSecret { source_id, body } = input;
    let _lock = call.locks().application(call.source(source_id).await?.application).await;
    let (mut source, version) = call.source_versioned(source_id).await?;
    let mut problems = Problems::within(&["body"]);
    if let Err(message) = fields::check_secret(&source, &body.secret) {
        problems.add(&["secret"], message);
    }
    let grace = body.grace_period_seconds.unwrap_or(DEFAULT_GRACE_SECONDS);
    if grace > MAX_GRACE_SECONDS {
        problems.add(&["gracePeriodSeconds"], format!("must be at most {MAX_GRACE_SECONDS}"));
    }
    problems.finish()?;
    retire(&mut source.secrets, call.now, call.now + Duration::from_secs(grace.into()));
    if source.secrets.len() >= MAX_SOURCE_SECRETS {
        let detail = "10 secrets are still valid; wait until one of them expires".to_owned();
        return Err(ApiError::Bad { code: "too_many_keys", detail });
    }
    let secret = secrets::seal_text(call, &body.secret);
    source.secrets.insert(0, SourceSecret { secret, until: None });
    replace(call, source, version).await
}

/// Lets the secrets expire at `until` at the latest, and removes those that have expired.
fn retire(secrets: &mut Vec<SourceSecret>, now: Timestamp, until: Timestamp) {
    for secret in secrets.iter_mut() {
        secret.until = Some(secret.until.map_or(until, |it| it.min(until)));
    }
    secrets.retain(|it| it.until.is_none_or(|until| until > now));
}
