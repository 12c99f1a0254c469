//! The kind of an endpoint and its configuration.

use postrider::api::{EndpointConfig, EndpointIn, EndpointKind, EndpointOut, EndpointPatch, Patch};
use postrider_core::{
    catalog::{AtRest, Endpoint},
    kind::{Destination, Fields, MAX_CONFIG, kept, mask, unmask},
};

use ::url::Url;

use super::{credential, url};
use crate::{
    api::{error::ApiError, problems::Problems},
    operations::{call::Call, render, secrets},
};

const FIELD: &str = "config";

/// The problem of a setting that only requests over HTTP have.
pub(super) const HTTP_ONLY: &str = "is only for endpoints of the kind `http`";

/// Where an endpoint leads, as it is stored.
#[derive(Debug)]
pub(super) struct Location {
    pub kind: EndpointKind,
    pub config: AtRest<Fields>,
    pub url: String,
}

/// The endpoint as responses show it.
pub(in crate::operations) fn shown(
    call: &Call,
    endpoint: &Endpoint,
) -> Result<EndpointOut, ApiError> {
    let authentication = credential::shown(call, endpoint)?;
    let shown = EndpointOut { authentication, ..render::endpoint(endpoint) };
    if endpoint.kind.is_http() {
        return Ok(shown);
    }
    let config = mask(endpoint.kind, &secrets::open_at_rest(call, &endpoint.config)?);
    Ok(EndpointOut { config: Some(EndpointConfig(config)), ..shown })
}

/// Where the new endpoint leads. What is not valid is among the problems.
#[expect(clippy::unnecessary_wraps, reason = "it has the signature of its alternative")]
pub(super) fn of_new(
    call: &Call,
    body: &EndpointIn,
    problems: &mut Problems<'_>,
) -> Result<Location, ApiError> {
    if body.kind.is_http() {
        problems.require(body.config.is_none(), FIELD, "must be absent for the kind `http`");
        return Ok(of_url(call, &body.url, problems));
    }
    if !check_creatable(call, body.kind, problems) {
        return Ok(Location { kind: body.kind, config: AtRest::default(), url: String::new() });
    }
    check_http_only(body, problems);
    let config = body.config.clone().unwrap_or_default();
    let location = of_config(call, body.kind, &config.0, problems);
    check_shown_url(&body.url, &location.url, problems);
    Ok(location)
}

/// Where an endpoint of the kind `command` leads, which only the operator can define.
pub(super) fn of_command(call: &Call, body: &EndpointIn, problems: &mut Problems<'_>) -> Location {
    check_http_only(body, problems);
    let config = body.config.clone().unwrap_or_default();
    of_config(call, body.kind, &config.0, problems)
}

/// Where a replaced endpoint leads. Its kind stays, and without a configuration that stays too.
pub(super) fn of_replaced(
    call: &Call,
    old: &Endpoint,
    body: &EndpointIn,
    kind: Option<EndpointKind>,
    problems: &mut Problems<'_>,
) -> Result<Location, ApiError> {
    check_unchanged(old.kind, kind, problems);
    if old.kind.is_http() {
        problems.require(body.config.is_none(), FIELD, "must be absent for the kind `http`");
        return Ok(of_url(call, &body.url, problems));
    }
    check_http_only(body, problems);
    let location = match &body.config {
        Some(config) => changed(call, old, config, problems)?,
        None => of_old(old),
    };
    check_shown_url(&body.url, &location.url, problems);
    Ok(location)
}

/// Where the endpoint leads after a change of its configuration.
pub(super) fn changed(
    call: &Call,
    old: &Endpoint,
    config: &EndpointConfig,
    problems: &mut Problems<'_>,
) -> Result<Location, ApiError> {
    if old.kind.is_http() {
        problems.add(&[FIELD], "must be absent for the kind `http`");
        return Ok(of_old(old));
    }
    if !check_creatable(call, old.kind, problems) {
        return Ok(of_old(old));
    }
    let before = secrets::open_at_rest(call, &old.config)?;
    let meant = unmask(old.kind, config.0.clone(), &before);
    let location = of_config(call, old.kind, &meant, problems);
    if leads_elsewhere(&old.url, &location.url) {
        for name in kept(old.kind, &config.0, &before) {
            problems
                .add(&[FIELD, name], "must be given again, because the endpoint leads elsewhere");
        }
    }
    Ok(location)
}

/// Whether a stored credential would be sent to another server. A client that may change the
/// endpoint need not know it, and must not learn it in this way.
pub(super) fn leads_elsewhere(old: &str, new: &str) -> bool {
    let server = |text: &str| {
        let url = Url::parse(text).ok()?;
        Some((url.host_str()?.to_owned(), url.port()))
    };
    !new.is_empty() && server(old) != server(new)
}

/// Refuses another kind than the endpoint has.
pub(super) fn check_unchanged(
    old: EndpointKind,
    new: Option<EndpointKind>,
    problems: &mut Problems<'_>,
) {
    if new.is_some_and(|new| new != old) {
        problems.add(&["kind"], format!("cannot be changed; it is `{old}`"));
    }
}

fn of_old(old: &Endpoint) -> Location {
    Location { kind: old.kind, config: old.config.clone(), url: old.url.clone() }
}

fn of_url(call: &Call, text: &str, problems: &mut Problems<'_>) -> Location {
    if text.is_empty() {
        problems.missing(&["url"]);
    } else {
        url::check(call.settings(), text, problems);
    }
    Location { kind: EndpointKind::Http, config: AtRest::default(), url: text.to_owned() }
}

fn of_config(
    call: &Call,
    kind: EndpointKind,
    fields: &Fields,
    problems: &mut Problems<'_>,
) -> Location {
    let mut location = Location { kind, config: AtRest::default(), url: String::new() };
    let bytes = serde_json::to_string(fields).map_or(0, |text| text.len());
    if bytes > MAX_CONFIG {
        problems.add(&[FIELD], format!("is longer than {MAX_CONFIG} bytes"));
        return location;
    }
    match Destination::parse(kind, fields) {
        Ok(destination) => {
            location.url = destination.address();
            location.config = secrets::seal_at_rest(call, fields);
        },
        Err(found) => problems.add_all(FIELD, found),
    }
    location
}

/// Whether a client may define endpoints of this kind.
fn check_creatable(call: &Call, kind: EndpointKind, problems: &mut Problems<'_>) -> bool {
    let problem = if kind == EndpointKind::Command {
        "`command` can only be defined in the configuration file of the server, by its operator"
            .to_owned()
    } else if call.engine().supports(kind) {
        return true;
    } else {
        format!("`{kind}` is not part of this build of the server; install one with all kinds")
    };
    problems.add(&["kind"], problem);
    false
}

/// Refuses what only requests over HTTP have.
fn check_http_only(body: &EndpointIn, problems: &mut Problems<'_>) {
    problems.require(body.headers.is_empty(), "headers", HTTP_ONLY);
    problems.require(body.secret.is_none(), "secret", HTTP_ONLY);
    problems.require(body.trusted_certificates.is_none(), "trustedCertificates", HTTP_ONLY);
    problems.require(body.authentication.is_none(), "authentication", HTTP_ONLY);
    let is_traced = body.forward_trace_context == Some(true);
    problems.require(!is_traced, "forwardTraceContext", HTTP_ONLY);
}

/// The same for a change.
pub(super) fn check_http_only_patch(
    kind: EndpointKind,
    patch: &EndpointPatch,
    problems: &mut Problems<'_>,
) {
    if kind.is_http() {
        return;
    }
    let is_pinned = matches!(patch.trusted_certificates, Patch::Set(_));
    problems.require(!is_pinned, "trustedCertificates", HTTP_ONLY);
    problems.require(patch.secret.is_none(), "secret", HTTP_ONLY);
    let is_traced = patch.forward_trace_context == Some(true);
    problems.require(!is_traced, "forwardTraceContext", HTTP_ONLY);
}

/// Clients that know only `http` send the URL that they were shown.
fn check_shown_url(given: &str, shown: &str, problems: &mut Problems<'_>) {
    let is_shown = given.is_empty() || shown.is_empty() || given == shown;
    problems.require(is_shown, "url", "is only for the kind `http`; change `config` instead");
}
