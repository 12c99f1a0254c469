//! Changes of how the requests to an endpoint authenticate.

use postrider::{
    ApplicationId, EndpointId,
    api::{self, EndpointAuthentication},
};
use postrider_core::catalog::{Authentication, Endpoint};
use postrider_store::IdOrUid;

use super::{
    credential::{FIELD, masked, parse, sets_authorization},
    current,
    kind::{HTTP_ONLY, leads_elsewhere},
    replace,
};
use crate::{
    api::{error::ApiError, problems::Problems},
    operations::{call::Call, secrets},
    race,
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

/// Changes how the requests to an endpoint authenticate.
pub(super) async fn change(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    endpoint_id: &IdOrUid<EndpointId>,
    change: impl Fn(&mut Endpoint) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let try_once = async || -> Result<(), ApiError> {
        let entry = call.application(app_id).await?;
        let _lock = call.locks().application(entry.application.id).await;
        let old = current(call, &entry, endpoint_id).await?;
        let mut endpoint = Endpoint { updated_at: call.now, ..old.0.clone() };
        check_kind(&endpoint)?;
        change(&mut endpoint)?;
        replace(call, app_id.into(), &entry.application, &old, &endpoint).await
    };
    race::retry(try_once).await
}

fn check_kind(endpoint: &Endpoint) -> Result<(), ApiError> {
    if endpoint.kind.is_http() {
        return Ok(());
    }
    let detail = "only endpoints of the kind `http` authenticate in this way; others have their \
                  credentials in `config`";
    Err(ApiError::Bad { code: "not_http", detail: detail.to_owned() })
}
