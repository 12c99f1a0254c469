//! The credential of an endpoint after a request that creates or changes the endpoint.

use postrider::api::{self, EndpointAuthentication};
use postrider_core::catalog::{Authentication, Endpoint};

use super::{
    credential::{FIELD, masked, parse, sets_authorization},
    kind::{HTTP_ONLY, leads_elsewhere},
};
use crate::{
    api::{error::ApiError, problems::Problems},
    operations::{call::Call, secrets},
};

const ELSEWHERE: &str =
    "must be given again, or removed with `null`, because the endpoint leads elsewhere";

const ALSO_OAUTH: &str = "the endpoint uses OAuth, which sets the same header; delete its OAuth \
    configuration first";

/// The authentication of a new endpoint.
pub(super) fn of_new(
    call: &Call,
    given: Option<EndpointAuthentication>,
    problems: &mut Problems<'_>,
) -> Authentication {
    let credentials = given.and_then(|given| parse(given, problems));
    let credentials = secrets::seal_at_rest(call, &credentials);
    Authentication { credentials, ..Authentication::default() }
}

/// The authentication of an endpoint that is called at `url` after the change.
pub(super) fn changed(
    call: &Call,
    old: &Endpoint,
    url: &str,
    given: api::Patch<EndpointAuthentication>,
    problems: &mut Problems<'_>,
) -> Result<Authentication, ApiError> {
    let is_set = matches!(given, api::Patch::Set(_));
    problems.require(old.kind.is_http() || !is_set, FIELD, HTTP_ONLY);
    let before = secrets::open_at_rest(call, &old.authentication.credentials)?;
    let is_shown = before.as_ref().is_some_and(|before| given.value() == Some(&masked(before)));
    let is_kept = is_shown || given == api::Patch::Keep;
    let after = match given {
        api::Patch::Clear => None,
        api::Patch::Set(given) if !is_kept => parse(given, problems),
        api::Patch::Keep | api::Patch::Set(_) => before.clone(),
    };
    let is_exposed = is_kept && after.is_some() && leads_elsewhere(&old.url, url);
    problems.require(!is_exposed, FIELD, ELSEWHERE);
    if !old.authentication.oauth.is_empty() && after.as_ref().is_some_and(sets_authorization) {
        problems.add(&[FIELD], ALSO_OAUTH);
    }
    let mut authentication = old.authentication.clone();
    if after != before {
        authentication.credentials = secrets::seal_at_rest(call, &after);
    }
    Ok(authentication)
}
