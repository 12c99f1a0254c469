//! Sources as responses show them.

use postrider::{
    api::{
        IngestSourceOut, Permission,
        ingest::{ModelText, SourceConfigOut, SourceResponse, SourceStatus, Verification},
    },
    provider::{self, Provider},
};
use postrider_core::{
    access::permits,
    catalog::{Source, SourceSecret},
    time::Timestamp,
};

use super::kind::{self, GENERIC};
use crate::{
    api::{convert::to_wire, error::ApiError},
    operations::{call::Call, secrets},
};

/// Providers whose secret is a public key, which clients of the hosted API expect in responses.
const SHOW_KEY: &[&str] = &["orum-io", "telnyx"];

/// Providers whose keys are fetched, with the parameters that this requires.
const FETCHED: &[(&str, &[&str])] = &[
    ("aws-sns", &[]),
    ("ebay", &["access_token"]),
    ("fusionauth", &["jwks_url"]),
    ("google-pubsub", &[]),
    ("neon-auth", &["jwks_url"]),
    ("plaid", &["client_id", "client_secret"]),
];

pub(super) fn source(call: &Call, it: Source) -> Result<IngestSourceOut, ApiError> {
    let public_url = it.public_url.as_ref();
    let public_url = public_url.map(|it| secrets::open_at_rest(call, it)).transpose()?;
    Ok(IngestSourceOut {
        managed_by: it.managed_by.clone(),
        config: config(call, &it)?,
        ingest_url: ingest_url(call, &it)?,
        status: status(call, &it),
        verification: if it.is_open { Verification::None } else { Verification::Required },
        id: it.id,
        uid: it.uid,
        name: it.name,
        provider: it.provider,
        kind: kind::public_name(&it.kind).to_owned(),
        app_id: it.application,
        disabled: it.disabled,
        secret_count: it.secrets.len(),
        parameter_names: it.parameters.into_keys().collect(),
        model: it.model.map(ModelText),
        public_url,
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
    if kind::public_name(&it.kind) == GENERIC {
        return Ok(None);
    }
    if !SHOW_KEY.contains(&it.provider.as_str()) {
        return Ok(Some(SourceConfigOut::default()));
    }
    let key = it.secrets.first().map(|it| secrets::open_text(call, &it.secret)).transpose()?;
    // Clients require the field.
    let key = key.map_or_else(String::new, |it| it.to_string());
    Ok(Some(SourceConfigOut { public_key: Some(key) }))
}

/// The URL contains the token, with which anyone can post to a source that does not verify.
fn ingest_url(call: &Call, it: &Source) -> Result<String, ApiError> {
    if !permits(call.principal.role(), Permission::ReadSecrets) {
        return Ok(call.settings().url("in/***"));
    }
    let token = secrets::open_text(call, &it.token)?;
    Ok(call.settings().url(&format!("in/{}", *token)))
}

/// Whether the source accepts requests.
fn status(call: &Call, it: &Source) -> SourceStatus {
    let provider = provider::find(&it.provider);
    let misses = |of: &Provider| {
        of.parameters.iter().any(|asked| asked.required && !it.parameters.contains_key(&asked.name))
    };
    if it.disabled {
        SourceStatus::Disabled
    } else if provider.is_some_and(misses) {
        SourceStatus::NoParameter
    } else if it.is_open || it.secrets.iter().any(|it| verifies(it, call.now)) {
        SourceStatus::Ready
    } else {
        provider.map_or(SourceStatus::NoSecret, |of| without_secret(of, it))
    }
}

fn verifies(it: &SourceSecret, now: Timestamp) -> bool {
    it.until.is_none_or(|until| until > now)
}

fn without_secret(provider: &Provider, it: &Source) -> SourceStatus {
    let has = |name: &&str| it.parameters.contains_key(*name);
    let is_fetched = |(id, needed): &(&str, &[&str])| *id == provider.id && needed.iter().all(has);
    if provider.model.handshakes.iter().any(|it| it.capture.is_some()) {
        SourceStatus::Pending
    } else if FETCHED.iter().any(is_fetched) {
        SourceStatus::Ready
    } else {
        SourceStatus::NoSecret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_name_existing_providers_and_parameters() {
        for (id, needed) in FETCHED {
            let provider = provider::find(id).unwrap();
            for name in *needed {
                assert!(provider.parameters.iter().any(|it| it.name == *name), "{id} {name}");
            }
        }
        for id in SHOW_KEY {
            assert!(provider::find(id).is_some(), "{id}");
        }
    }
}
