//! The credential of an endpoint, in requests and responses.

use postrider::api::{
    EndpointAuthentication, EndpointAuthenticationType, endpoint_authentication::MAX_CREDENTIAL,
};
use postrider_core::{
    catalog::{Credentials, Endpoint},
    credentials::CredentialHeader,
    kind::MASK,
};

use crate::{
    api::{error::ApiError, problems::Problems},
    operations::{call::Call, secrets},
};

pub(super) const FIELD: &str = "authentication";

/// The credential as responses show it.
pub(super) fn shown(
    call: &Call,
    endpoint: &Endpoint,
) -> Result<Option<EndpointAuthentication>, ApiError> {
    let credentials = secrets::open_at_rest(call, &endpoint.authentication.credentials)?;
    Ok(credentials.as_ref().map(masked))
}

/// The credential with `***` instead of its secret.
pub(super) fn masked(credentials: &Credentials) -> EndpointAuthentication {
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

/// Whether the credential is in the header that OAuth uses.
pub(super) fn sets_authorization(credentials: &Credentials) -> bool {
    CredentialHeader::new(credentials).is_ok_and(|header| header.is_authorization())
}

/// The credential of a request, if it is valid.
pub(super) fn parse(
    given: EndpointAuthentication,
    problems: &mut Problems<'_>,
) -> Option<Credentials> {
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
            let message = "is the mask of a secret, but there is no such secret to keep";
            self.problems.add(&[FIELD, name], message);
            self.is_complete = false;
        }
        value
    }
}
