//! The fields of sources: validation, and conversion to the stored form.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::HeaderName;
use postrider::{
    SourceId, Uid,
    api::{
        IngestSourcePatch, Patch,
        endpoint::MAX_URL,
        ingest::{
            MAX_DEDUPE_SECONDS, MAX_SOURCE_NAME, MAX_SOURCE_UID, ModelText, SourceConfig,
            SourceSecret, Verification,
        },
    },
    provider::{self, Model, Provider, Scheme},
};
use postrider_core::catalog::{self, MAX_SOURCE_SECRETS, Source, SourceResponse};
use url::Url;

use super::kind::{CUSTOM, GENERIC};
use crate::{
    api::{convert::from_wire, error::ApiError, problems::Problems},
    inbound,
    operations::{
        call::Call,
        custom_headers::{self, Owner},
        secrets,
    },
};

/// Maximum size of a secret or a parameter in bytes. Key sets are the largest.
const MAX_SECRET: usize = 64 << 10;

const MAX_PARAMETERS: usize = 20;

/// Maximum size of a source's response in bytes.
const MAX_RESPONSE: usize = 64 << 10;

/// Maximum number of placeholders in a response.
const MAX_PLACES: usize = 32;

/// Maximum tolerance for the age of a signature.
const MAX_TOLERANCE_SECONDS: u32 = 7 * 24 * 60 * 60;

const MAX_FORWARDED: usize = 100;

/// Applies the changes, or returns all their problems.
pub(super) fn apply(
    call: &Call,
    source: &mut Source,
    patch: IngestSourcePatch,
) -> Result<(), ApiError> {
    let mut problems = Problems::within(&["body"]);
    apply_names(source, &patch, &mut problems);
    if let Some(model) = patch.model {
        apply_model(source, model, &mut problems);
    }
    if let Some(secrets) = patch.secrets {
        check_secrets(&secrets, source, call, &mut problems);
        let kept = secrets.iter().take(MAX_SOURCE_SECRETS);
        source.secrets = kept.map(|it| seal(call, it)).collect();
    }
    apply_parameters(call, source, patch.parameters.unwrap_or_default(), &mut problems);
    source.disabled = patch.disabled.unwrap_or(source.disabled);
    source.dedupe_by_body = patch.dedupe_by_body.unwrap_or(source.dedupe_by_body);
    if let Some(verification) = patch.verification {
        source.is_open = verification == Verification::None;
    }
    apply_response(source, patch.response, &mut problems);
    apply_public_url(call, source, patch.public_url, &mut problems);
    if let Some(seconds) = patch.dedupe_window_seconds {
        source.dedupe_window = dedupe_window(call, seconds, &mut problems);
    }
    apply_limits(source, &patch.tolerance_seconds, patch.max_body, &mut problems);
    match patch.forward_headers {
        Patch::Keep => {},
        Patch::Clear => source.forward_headers = None,
        Patch::Set(names) => {
            source.forward_headers = Some(forwarded_headers(&names, &mut problems));
        },
    }
    check_consistency(source, &mut problems);
    problems.finish()
}

fn apply_names(source: &mut Source, patch: &IngestSourcePatch, problems: &mut Problems<'_>) {
    if let Some(name) = &patch.name {
        let fits = (1..=MAX_SOURCE_NAME).contains(&name.chars().count());
        problems.require(fits, "name", "must have 1 to 256 characters");
        problems.plain_text("name", name);
        source.name.clone_from(name);
    }
    match &patch.uid {
        Patch::Keep => {},
        Patch::Clear => source.uid = None,
        Patch::Set(text) => source.uid = uid(text, problems),
    }
    if let Some(metadata) = &patch.metadata {
        problems.metadata(metadata);
        source.metadata.clone_from(metadata);
    }
}

fn uid(text: &str, problems: &mut Problems<'_>) -> Option<Uid> {
    let marks = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    let fits = (1..=MAX_SOURCE_UID).contains(&text.len()) && text.chars().all(marks);
    if !fits || text.starts_with(SourceId::PREFIX) {
        let message = "must have 1 to 60 letters, digits, - and _, and not begin with src_";
        problems.add(&["uid"], message);
        return None;
    }
    problems.parse(&["uid"], text)
}

fn apply_model(source: &mut Source, model: ModelText, problems: &mut Problems<'_>) {
    if source.provider != CUSTOM {
        problems.add(&["model"], "is only for the type custom");
        return;
    }
    if let Err(error) = Model::from_json(&model.0) {
        problems.add(&["model"], error.to_string());
    }
    source.model = Some(model.0);
}

/// Converts the `config` of clients of the hosted API into the fields that it is equivalent to.
pub(super) fn expand_config(
    config: Option<SourceConfig>,
    patch: &mut IngestSourcePatch,
    problems: &mut Problems<'_>,
) {
    let Some(config) = config else { return };
    // Adobe Sign identifies its requests by the client id.
    let keys = config.secret.into_iter().chain(config.public_key).chain(config.client_id);
    let keys: Vec<_> = keys.collect();
    if !keys.is_empty() {
        let both = patch.secrets.is_some() || keys.len() > 1;
        problems.require(!both, "config", "has a secret that is also given elsewhere");
        let secret = |key| SourceSecret { key, until: None };
        patch.secrets = Some(keys.into_iter().map(secret).collect());
    }
    if let Some(token) = config.verify_token {
        let parameters = patch.parameters.get_or_insert_default();
        parameters.insert("verify_token".to_owned(), Some(token));
    }
    if let Some(seconds) = config.timestamp_grace_seconds {
        patch.tolerance_seconds = Patch::Set(seconds);
    }
}

fn check_secrets(
    secrets: &[SourceSecret],
    source: &Source,
    call: &Call,
    problems: &mut Problems<'_>,
) {
    problems.require(secrets.len() <= MAX_SOURCE_SECRETS, "secrets", "has more than 10 items");
    let provider = provider_of(source);
    for (index, secret) in secrets.iter().enumerate().take(MAX_SOURCE_SECRETS) {
        let place = ["secrets", &index.to_string()];
        if let Err(message) = check_secret_of(provider.as_deref(), &secret.key) {
            problems.add(&place, message);
        }
        if secret.until.is_some_and(|it| from_wire(it) <= call.now) {
            problems.add(&place, "must be in the future");
        }
    }
}

/// Whether the provider of the source can have such a secret.
pub(super) fn check_secret(source: &Source, key: &str) -> Result<(), String> {
    check_secret_of(provider_of(source).as_deref(), key)
}

fn check_secret_of(provider: Option<&Provider>, key: &str) -> Result<(), String> {
    check_length(key)?;
    match provider {
        Some(provider) => provider::check_secret(provider, key)
            .map_err(|reason| format!("cannot be used: {reason}")),
        None => Ok(()),
    }
}

fn check_length(text: &str) -> Result<(), &'static str> {
    match text.trim().len() {
        0 => Err("must not be empty"),
        1..=MAX_SECRET => Ok(()),
        _ => Err("is longer than 65536 bytes"),
    }
}

/// The provider; `None` if the source accepts any sender, or if its model is invalid, which has
/// been reported.
fn provider_of(source: &Source) -> Option<Cow<'static, Provider>> {
    match &source.model {
        Some(model) => {
            let model = Model::from_json(model).ok()?;
            Some(Cow::Owned(Provider::new(CUSTOM, model)))
        },
        None => provider::find(&source.provider).map(Cow::Borrowed),
    }
}

fn seal(call: &Call, secret: &SourceSecret) -> catalog::SourceSecret {
    catalog::SourceSecret {
        secret: secrets::seal_text(call, &secret.key),
        until: secret.until.map(from_wire),
    }
}

fn apply_parameters(
    call: &Call,
    source: &mut Source,
    parameters: BTreeMap<String, Option<String>>,
    problems: &mut Problems<'_>,
) {
    let set = parameters.values().flatten().count();
    // Checked first, so that a long list costs nothing.
    if set <= MAX_PARAMETERS {
        for (name, value) in parameters {
            apply_parameter(call, source, name, value, problems);
        }
    }
    let fits = set.max(source.parameters.len()) <= MAX_PARAMETERS;
    problems.require(fits, "parameters", "has more than 20 items");
}

fn apply_parameter(
    call: &Call,
    source: &mut Source,
    name: String,
    value: Option<String>,
    problems: &mut Problems<'_>,
) {
    let Some(value) = value else {
        source.parameters.remove(&name);
        return;
    };
    let place = ["parameters", name.as_str()];
    if let Err(message) = check_length(&value) {
        problems.add(&place, message);
    }
    let marks = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    if !(1..=64).contains(&name.len()) || !name.chars().all(marks) {
        problems.add(&place, "is not a valid parameter name");
    } else if let Some(known) = known_parameters(source)
        && !known.contains(&name.as_str())
    {
        problems.add(&place, unknown_parameter(&source.provider, &known));
    }
    source.parameters.insert(name, secrets::seal_text(call, &value));
}

/// The parameters of a known provider. A model can use any parameter.
fn known_parameters(source: &Source) -> Option<Vec<&'static str>> {
    let provider = provider::find(&source.provider)?;
    let mut known: Vec<_> = provider.parameters.iter().map(|it| it.name.as_str()).collect();
    if provider.model.verify.iter().any(|it| matches!(it, Scheme::Jwt(_))) {
        known.extend(["audience", "issuer"]);
    }
    Some(known)
}

fn unknown_parameter(provider: &str, known: &[&str]) -> String {
    match known {
        [] => format!("is not a parameter of {provider}, which has none"),
        known => {
            format!("is not a parameter of {provider}; its parameters are {}", known.join(", "))
        },
    }
}

fn apply_response(
    source: &mut Source,
    response: Patch<postrider::api::ingest::SourceResponse>,
    problems: &mut Problems<'_>,
) {
    match response {
        Patch::Keep => {},
        Patch::Clear => source.response = None,
        Patch::Set(response) => {
            let fits = (200..=299).contains(&response.status);
            if !fits {
                problems.add(&["response", "status"], "must be 200 to 299");
            }
            if response.body.len() > MAX_RESPONSE {
                problems.add(&["response", "body"], "is longer than 65536 bytes");
            }
            custom_headers::check(
                &response.headers,
                &["response", "headers"],
                Owner::Body,
                problems,
            );
            let postrider::api::ingest::SourceResponse { status, headers, body } = response;
            let response = SourceResponse { status, headers, body };
            if provider::placeholder_count(&inbound::configured_reply(&response)) > MAX_PLACES {
                let message = format!("has more than {MAX_PLACES} placeholders");
                problems.add(&["response"], message);
            }
            source.response = Some(response);
        },
    }
}

fn apply_public_url(
    call: &Call,
    source: &mut Source,
    public_url: Patch<String>,
    problems: &mut Problems<'_>,
) {
    match public_url {
        Patch::Keep => {},
        Patch::Clear => source.public_url = None,
        Patch::Set(text) => {
            let is_web = |it: &Url| matches!(it.scheme(), "http" | "https") && it.has_host();
            let fits = text.len() <= MAX_URL && text.parse().is_ok_and(|it| is_web(&it));
            problems.require(fits, "publicUrl", "must be an http or https URL");
            source.public_url = Some(secrets::seal_at_rest(call, &text));
        },
    }
}

/// The longest window that a source can have, in seconds.
pub(super) fn longest_dedupe_window(call: &Call) -> u32 {
    let kept = call.engine().retention().digests.as_secs();
    u32::try_from(kept).map_or(MAX_DEDUPE_SECONDS, |kept| kept.min(MAX_DEDUPE_SECONDS))
}

fn dedupe_window(call: &Call, seconds: u32, problems: &mut Problems<'_>) -> Duration {
    let longest = longest_dedupe_window(call);
    let message = if longest == MAX_DEDUPE_SECONDS {
        format!("must be at most {longest}")
    } else {
        format!("must be at most {longest}, which is this server's retention.duplicates")
    };
    problems.require(seconds <= longest, "dedupeWindowSeconds", &message);
    Duration::from_secs(seconds.into())
}

fn apply_limits(
    source: &mut Source,
    tolerance: &Patch<u32>,
    max_body: Patch<u32>,
    problems: &mut Problems<'_>,
) {
    match tolerance {
        Patch::Keep => {},
        Patch::Clear => source.tolerance = None,
        &Patch::Set(seconds) => {
            let fits = (1..=MAX_TOLERANCE_SECONDS).contains(&seconds);
            problems.require(fits, "toleranceSeconds", "must be 1 to 604800");
            source.tolerance = Some(Duration::from_secs(seconds.into()));
        },
    }
    problems.require(max_body.value() != Some(&0), "maxBody", "must be at least 1");
    source.max_body = max_body.apply(source.max_body);
}

fn forwarded_headers(names: &[String], problems: &mut Problems<'_>) -> Vec<String> {
    problems.require(names.len() <= MAX_FORWARDED, "forwardHeaders", "has more than 100 items");
    for (index, name) in names.iter().enumerate().take(MAX_FORWARDED) {
        if HeaderName::try_from(name).is_err() {
            problems.add(&["forwardHeaders", &index.to_string()], "is not a valid header name");
        }
    }
    let unique: BTreeSet<_> = names.iter().map(|it| it.to_ascii_lowercase()).collect();
    unique.into_iter().collect()
}

/// Checks the fields together. Requests are accepted without verification only if the client chose
/// that explicitly.
fn check_consistency(source: &Source, problems: &mut Problems<'_>) {
    if source.is_open {
        return;
    }
    if source.provider == GENERIC {
        problems.add(
            &["verification"],
            "needs a type with signatures; choose one, or set verification to none",
        );
    } else if source.provider == CUSTOM && source.model.is_none() {
        let message = "is required for a custom provider; give it, or set verification to none";
        problems.add(&["model"], message);
    } else if provider_of(source).is_some_and(|it| !it.is_signed()) {
        let message =
            format!("{} does not sign requests; set verification to none", source.provider);
        problems.add(&["verification"], message);
    }
}
