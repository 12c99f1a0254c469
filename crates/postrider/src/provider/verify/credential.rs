//! Schemes in which the request contains the secret in clear text.

use super::{
    super::{
        Settings, crypto,
        model::{Encoding, SharedSecret},
        selector::Selector,
        signature::strip_prefix,
        values::Values,
    },
    SchemeMatch, VerifyError,
};

/// Every selected value has to be one of the secrets.
pub(super) fn shared_secret(
    shared: &SharedSecret,
    settings: &Settings,
    values: &Values<'_>,
) -> Result<SchemeMatch, VerifyError> {
    let found = values.all(&shared.source, &[]);
    let Selector::Json(path) = &shared.source else {
        let first = found.first().ok_or_else(|| VerifyError::Missing(shared.source.to_string()))?;
        return among(first, &shared.prefix, settings);
    };
    // A value that is not the secret must not hide behind one that is.
    if found.is_empty() || found.len() != values.expected_count(path) {
        return Err(VerifyError::Missing(shared.source.to_string()));
    }
    let all: Result<Vec<_>, _> =
        found.iter().map(|it| among(it, &shared.prefix, settings)).collect();
    all?.into_iter().next().ok_or(VerifyError::Signature)
}

/// The header `Authorization: Basic …` has to contain one of the secrets.
pub(super) fn basic(settings: &Settings, values: &Values<'_>) -> Result<SchemeMatch, VerifyError> {
    let authorization = values.request.headers.get("authorization");
    let authorization =
        authorization.ok_or_else(|| VerifyError::Missing("header:authorization".to_owned()))?;
    let credentials = strip_prefix(authorization, "Basic ")
        .and_then(|it| Encoding::Base64.decode(it.trim()))
        .and_then(|it| String::from_utf8(it).ok());
    let malformed =
        || VerifyError::Malformed("header:authorization does not have the scheme Basic".to_owned());
    among(&credentials.ok_or_else(malformed)?, "", settings)
}

fn among(text: &str, prefix: &str, settings: &Settings) -> Result<SchemeMatch, VerifyError> {
    if settings.secrets.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let malformed = || VerifyError::Malformed(format!("the value does not begin with `{prefix}`"));
    let token = strip_prefix(text, prefix).ok_or_else(malformed)?;
    let equal = |secret: &str| {
        let secret = strip_prefix(secret, prefix).unwrap_or(secret);
        !secret.is_empty() & crypto::equal_secrets(secret, token)
    };
    let equals = settings.secrets.iter().map(|it| equal(it)).collect::<Vec<_>>();
    let secret = equals.iter().position(|it| *it).ok_or(VerifyError::Signature)?;
    Ok(SchemeMatch { secret: Some(secret), ..SchemeMatch::default() })
}
