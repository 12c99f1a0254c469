//! Sources as files declare them.

use std::collections::BTreeMap;

use postrider::{
    ApplicationId, Uid,
    api::{
        IngestSourceIn, Patch,
        ingest::{self, DEFAULT_DEDUPE_SECONDS, ModelText, Verification},
    },
};
use postrider_core::{
    catalog::{Application, Source},
    declaration::Document,
    kind::MASK,
};

use super::{application_of, fields, kind::GENERIC, split, with_defaults};
use crate::{
    api::{convert::to_wire, error::ApiError},
    operations::{call::Call, environment::secret_document, secrets},
};

/// The source after it was applied. Its messages go to the application `chosen`, or to one of its
/// own.
pub(in crate::operations) fn declared(
    call: &Call,
    old: Option<&Source>,
    body: IngestSourceIn,
    chosen: Option<ApplicationId>,
) -> Result<Source, ApiError> {
    let kind = body.kind.clone();
    let (choice, patch) = split(body)?;
    let mut new = with_defaults(call, kind, choice, chosen);
    if let Some(old) = old {
        check_application(old, chosen)?;
        let is_same = old.provider == new.provider;
        new = Source {
            id: old.id,
            owns_application: old.owns_application,
            application: old.application,
            token: old.token.clone(),
            token_digest: old.token_digest,
            secrets: if is_same { old.secrets.clone() } else { Vec::new() },
            parameters: match &patch.parameters {
                None if is_same => old.parameters.clone(),
                None | Some(_) => BTreeMap::new(),
            },
            disabled: old.disabled,
            created_at: old.created_at,
            ..new
        };
    }
    fields::apply(call, &mut new, patch)?;
    Ok(new)
}

fn check_application(old: &Source, chosen: Option<ApplicationId>) -> Result<(), ApiError> {
    let is_same = match chosen {
        Some(chosen) => chosen == old.application,
        None => old.owns_application,
    };
    if is_same {
        return Ok(());
    }
    Err(ApiError::invalid(&["body", "appId"], "cannot be changed; choose another uid"))
}

/// The application that is created for the source, if it has one of its own.
pub(in crate::operations) fn own_application(source: &Source) -> Option<Application> {
    source.owns_application.then(|| application_of(source, source.created_at))
}

/// The source as a file contains it; `application` is the uid of the application that it does not
/// own.
pub(in crate::operations) fn document(
    call: &Call,
    it: &Source,
    application: Option<&Uid>,
) -> Result<Document, ApiError> {
    let mut keys = Vec::with_capacity(it.secrets.len());
    for secret in &it.secrets {
        let key = secrets::open_text(call, &secret.secret)?.to_string();
        keys.push(ingest::SourceSecret { key, until: secret.until.map(to_wire) });
    }
    let mut parameters = BTreeMap::new();
    for (name, value) in &it.parameters {
        let value = secrets::open_text(call, value)?.to_string();
        parameters.insert(name.clone(), Some(value));
    }
    let public_url =
        it.public_url.as_ref().map(|it| secrets::open_at_rest(call, it)).transpose()?;
    let masked_keys =
        keys.iter().map(|it| ingest::SourceSecret { key: MASK.to_owned(), ..it.clone() });
    let masked_keys = masked_keys.collect();
    let masked_parameters = parameters.keys().map(|name| (name.clone(), Some(MASK.to_owned())));
    let masked_parameters = masked_parameters.collect();
    let of = |keys: Vec<_>, parameters: BTreeMap<_, _>| IngestSourceIn {
        secrets: Some(keys).filter(|it| !it.is_empty()),
        parameters: Some(parameters).filter(|it| !it.is_empty()),
        ..without_secrets(it, public_url.clone(), application)
    };
    secret_document(&of(keys, parameters), &of(masked_keys, masked_parameters))
}

fn without_secrets(
    it: &Source,
    public_url: Option<String>,
    application: Option<&Uid>,
) -> IngestSourceIn {
    let set = |value: Option<u32>| value.map_or(Patch::Keep, Patch::Set);
    let seconds = |it: std::time::Duration| u32::try_from(it.as_secs()).unwrap_or(u32::MAX);
    let is_named = it.kind != GENERIC || it.provider == GENERIC;
    // Such a source is open without being told so.
    let is_open_anyway = it.kind == GENERIC && it.provider == GENERIC;
    let dedupe = Some(seconds(it.dedupe_window));
    IngestSourceIn {
        name: it.name.clone(),
        uid: it.uid.as_ref().map(ToString::to_string),
        metadata: it.metadata.clone(),
        kind: it.kind.clone(),
        config: None,
        provider: (!is_named).then(|| it.provider.clone()),
        app_id: application.map(ToString::to_string),
        secrets: None,
        parameters: None,
        model: it.model.clone().map(ModelText),
        verification: (it.is_open && !is_open_anyway).then_some(Verification::None),
        disabled: Some(it.disabled),
        public_url: public_url.map_or(Patch::Keep, Patch::Set),
        response: it.response.as_ref().map_or(Patch::Keep, |it| {
            Patch::Set(ingest::SourceResponse {
                status: it.status,
                headers: it.headers.clone(),
                body: it.body.clone(),
            })
        }),
        dedupe_window_seconds: dedupe.filter(|it| *it != DEFAULT_DEDUPE_SECONDS),
        dedupe_by_body: Some(it.dedupe_by_body),
        tolerance_seconds: set(it.tolerance.map(seconds)),
        max_body: set(it.max_body),
        forward_headers: it.forward_headers.clone().map_or(Patch::Keep, Patch::Set),
    }
}
