//! What callers see of sources.

use postrider::api::{
    IngestSourceOut,
    ingest::{ModelText, SourceConfigOut, SourceResponse, SourceStatus, Verification},
};
use postrider_core::catalog::Source;

use super::kind::{GENERIC, NO_MODEL};
use crate::{call::Call, convert::to_wire, error::ApiError, secret as secrets};

/// Providers whose secret is a public key, which clients of the hosted API want to see.
const SHOW_KEY: &[&str] = &["telnyx"];

pub(super) fn source(call: &Call, it: Source) -> Result<IngestSourceOut, ApiError> {
    Ok(IngestSourceOut {
        config: config(call, &it)?,
        ingest_url: ingest_url(call, &it)?,
        status: status(call, &it),
        verification: if it.is_open { Verification::None } else { Verification::Required },
        id: it.id,
        uid: it.uid,
        name: it.name,
        kind: it.kind,
        provider: it.provider,
        app_id: it.application,
        disabled: it.disabled,
        secret_count: it.secrets.len(),
        parameters: it.parameters.into_keys().collect(),
        model: it.model.filter(|it| it != NO_MODEL).map(ModelText),
        public_url: it.public_url,
        response: it.response.map(|it| SourceResponse {
            status: it.status,
            headers: it.headers,
            body: it.body,
        }),
        dedupe_window_seconds: seconds(it.dedupe_window),
        dedupe_by_body: it.dedupe_by_body,
        tolerance_seconds: it.tolerance.map(seconds),
        max_body: it.max_body,
        forward_headers: it.forward_headers,
        metadata: it.metadata,
        created_at: to_wire(it.created_at),
        updated_at: to_wire(it.updated_at),
    })
}

fn seconds(it: std::time::Duration) -> u32 {
    u32::try_from(it.as_secs()).unwrap_or(u32::MAX)
}

fn config(call: &Call, it: &Source) -> Result<Option<SourceConfigOut>, ApiError> {
    if it.kind == GENERIC {
        return Ok(None);
    }
    let shows = SHOW_KEY.contains(&it.provider.as_str());
    let key = it.secrets.first().filter(|_| shows);
    let key = key.map(|it| secrets::open_text(call, &it.secret)).transpose()?;
    Ok(Some(SourceConfigOut { public_key: key.map(|it| it.to_string()) }))
}

fn ingest_url(call: &Call, it: &Source) -> Result<String, ApiError> {
    let token = secrets::open_text(call, &it.token)?;
    let base = call.settings().portal_url.trim_end_matches('/');
    Ok(format!("{base}/in/{}", *token))
}

/// Whether the source takes requests.
fn status(call: &Call, it: &Source) -> SourceStatus {
    let verifies =
        |it: &postrider_core::catalog::SourceSecret| it.until.is_none_or(|until| until > call.now);
    if it.disabled {
        SourceStatus::Disabled
    } else if it.is_open || it.secrets.iter().any(verifies) {
        SourceStatus::Ready
    } else if HANDED_OVER.contains(&it.provider.as_str()) {
        SourceStatus::Pending
    } else {
        SourceStatus::NoSecret
    }
}

/// Providers that hand over the secret with their first request.
const HANDED_OVER: &[&str] = &["asana", "clio", "notion"];
