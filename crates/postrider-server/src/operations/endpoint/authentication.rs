//! The credential of an endpoint, and changes of how its requests authenticate.

use postrider::{
    ApplicationId, EndpointId,
    api::{
        self, EndpointAuthentication, EndpointAuthenticationType,
        endpoint_authentication::MAX_CREDENTIAL,
    },
};
use postrider_core::{
    catalog::{Authentication, Credentials, Endpoint},
    credentials::CredentialHeader,
    kind::MASK,
};
use postrider_store::IdOrUid;

use super::{
    current,
    kind::{HTTP_ONLY, leads_elsewhere},
    replace,
};
use crate::{
    api::{error::ApiError, problems::Problems},
    operations::{call::Call, secrets},
    race,
};

const FIELD: &str = "authentication";

const ELSEWHERE: &str =
    "must be given again, or removed with `null`, because the endpoint leads elsewhere";

const ALSO_OAUTH: &str = "the endpoint uses OAuth, which sets the same header; delete its OAuth \
    configuration first";

/// The credential as responses show it.
pub(super) fn shown(
    call: &Call,
    endpoint: &Endpoint,
) -> Result<Option<EndpointAuthentication>, ApiError> {
    let credentials = secrets::open_at_rest(call, &endpoint.authentication.credentials)?;
    Ok(credentials.as_ref().map(masked))
}

fn masked(credentials: &Credentials) -> EndpointAuthentication {
    let mask = || Some(MASK.to_owned());
    let none = EndpointAuthentication::default();
    match credentials {
        Credentials::Basic { username, .. } => EndpointAuthentication {
            authentication_type: EndpointAuthenticationType::Basic,
            username: Some(username.clone()),
            password: mask(),
            ..none
        },
        Credentials::Bearer { .. } => EndpointAuthentication {
            authentication_type: EndpointAuthenticationType::Bearer,
            token: mask(),
            ..none
        },
        Credentials::Header { name, .. } => EndpointAuthentication {
            authentication_type: EndpointAuthenticationType::Header,
            name: Some(name.clone()),
            value: mask(),
            ..none
        },
    }
}

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

/// Whether the credential is in the header that OAuth uses.
pub(super) fn sets_authorization(credentials: &Credentials) -> bool {
    CredentialHeader::new(credentials).is_ok_and(|header| header.is_authorization())
}

fn parse(given: EndpointAuthentication, problems: &mut Problems<'_>) -> Option<Credentials> {
    let EndpointAuthentication { authentication_type, username, password, token, name, value } =
        given;
    let mut fields = Fields { problems, is_complete: true };
    let mut absent = Vec::new();
    let credentials = match authentication_type {
        EndpointAuthenticationType::Basic => {
            absent.extend([("token", token), ("name", name), ("value", value)]);
            let username = fields.required("username", username);
            let password = fields.required("password", password);
            Credentials::Basic { username, password }
        },
        EndpointAuthenticationType::Bearer => {
            absent.extend([("username", username), ("password", password)]);
            absent.extend([("name", name), ("value", value)]);
            Credentials::Bearer { token: fields.required("token", token) }
        },
        EndpointAuthenticationType::Header => {
            absent.extend([("username", username), ("password", password), ("token", token)]);
            let (name, value) = (fields.required("name", name), fields.required("value", value));
            Credentials::Header { name, value }
        },
    };
    for (field, value) in absent {
        if value.is_some() {
            fields.problems.add(&[FIELD, field], "does not belong to this type");
        }
    }
    if !fields.is_complete {
        return None;
    }
    match CredentialHeader::new(&credentials) {
        Ok(_) => Some(credentials),
        Err(problem) => {
            problems.add(&[FIELD, problem.field], problem.message);
            None
        },
    }
}

struct Fields<'p, 'a> {
    problems: &'p mut Problems<'a>,
    is_complete: bool,
}

impl Fields<'_, '_> {
    fn required(&mut self, name: &str, value: Option<String>) -> String {
        let Some(value) = value else {
            self.problems.missing(&[FIELD, name]);
            self.is_complete = false;
            return String::new();
        };
        if value.len() > MAX_CREDENTIAL {
            self.problems.add(&[FIELD, name], format!("is longer than {MAX_CREDENTIAL} bytes"));
            self.is_complete = false;
        }
        let is_secret = matches!(name, "password" | "token" | "value");
        if is_secret && value == MASK {
            let message = "is the mask of a secret, and nothing is stored that it stands for";
            self.problems.add(&[FIELD, name], message);
            self.is_complete = false;
        }
        value
    }
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
