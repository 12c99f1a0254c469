//! Secrets that come along in the clear.

use super::{
    super::{
        Settings, crypto,
        model::{Encoding, SharedSecret},
        signature::strip_prefix,
        source::Source,
        values::Values,
    },
    Matched, Rejected,
};

/// What stands there has to be one of the secrets; if it stands in many places, in all of them.
pub(super) fn shared_secret(
    shared: &SharedSecret,
    settings: &Settings,
    values: &Values<'_>,
) -> Result<Matched, Rejected> {
    let found = values.all(&shared.source, &[]);
    let Source::Json(path) = &shared.source else {
        let first = found.first().ok_or_else(|| Rejected::Missing(shared.source.to_string()))?;
        return among(first, &shared.prefix, settings);
    };
    // A place without the secret must not hide behind one that has it.
    if found.is_empty() || found.len() != values.places(path) {
        return Err(Rejected::Missing(shared.source.to_string()));
    }
    let all: Result<Vec<_>, _> =
        found.iter().map(|it| among(it, &shared.prefix, settings)).collect();
    all?.into_iter().next().ok_or(Rejected::Signature)
}

/// The header `Authorization: Basic …` has to hold one of the secrets.
pub(super) fn basic(settings: &Settings, values: &Values<'_>) -> Result<Matched, Rejected> {
    let authorization = values.request.headers.get("authorization");
    let authorization =
        authorization.ok_or_else(|| Rejected::Missing("header:authorization".to_owned()))?;
    let credentials = strip_prefix(authorization, "Basic ")
        .and_then(|it| Encoding::Base64.decode(it.trim()))
        .and_then(|it| String::from_utf8(it).ok());
    let malformed =
        || Rejected::Malformed("header:authorization is not of scheme Basic".to_owned());
    among(&credentials.ok_or_else(malformed)?, "", settings)
}

fn among(text: &str, prefix: &str, settings: &Settings) -> Result<Matched, Rejected> {
    if settings.secrets.is_empty() {
        return Err(Rejected::NoSecret);
    }
    let malformed = || Rejected::Malformed(format!("what should begin with `{prefix}` does not"));
    let token = strip_prefix(text, prefix).ok_or_else(malformed)?;
    let equal = |secret: &str| {
        let secret = strip_prefix(secret, prefix).unwrap_or(secret);
        !secret.is_empty() & crypto::equal_secrets(secret, token)
    };
    let equals = settings.secrets.iter().map(|it| equal(it)).collect::<Vec<_>>();
    let secret = equals.iter().position(|it| *it).ok_or(Rejected::Signature)?;
    Ok(Matched { secret: Some(secret), ..Matched::default() })
}
