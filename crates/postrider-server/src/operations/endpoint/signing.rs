//! The signing profile of an endpoint, in requests and responses.

use std::{borrow::Cow, time::Duration};

use postrider::{
    api::{
        EndpointIn, EndpointSigning, Patch,
        endpoint_signing::{MAX_SIGNING_SECRET, MAX_SIGNING_SECRETS},
        ingest::ModelText,
        ingest::SourceSecret,
    },
    provider::profile::{self, SigningModel},
};
use postrider_core::{
    catalog::{Endpoint, Signing, SigningSecret},
    kind::MASK,
    signing::{self, CUSTOM},
    time::Timestamp,
};

use super::kind::HTTP_ONLY;
use crate::{
    api::{convert::from_wire, error::ApiError, problems::Problems},
    operations::{call::Call, render, secrets},
};

const FIELD: &str = "signing";

/// The profile as files contain it, with masks: without secrets that will expire.
pub(super) fn current(signing: &Signing) -> EndpointSigning {
    let mut shown = render::signing(signing);
    shown.secrets.iter_mut().for_each(|secrets| secrets.retain(|it| it.until.is_none()));
    shown
}

/// The same with its secrets.
pub(super) fn revealed(call: &Call, signing: &Signing) -> Result<EndpointSigning, ApiError> {
    let secret = |key| SourceSecret { key, until: None };
    let secrets = texts(call, signing)?.into_iter().map(secret).collect();
    Ok(EndpointSigning { secrets: Some(secrets), ..current(signing) })
}

/// The secrets that do not expire.
fn texts(call: &Call, signing: &Signing) -> Result<Vec<String>, ApiError> {
    let lasting = signing.secrets.iter().filter(|it| it.until.is_none());
    lasting.map(|it| Ok(secrets::open_text(call, &it.secret)?.to_string())).collect()
}

/// Whether the field `secret` of a request is for the profile.
fn takes_secret(body: &EndpointIn) -> bool {
    let is_for_profile = |it: &EndpointSigning| !it.standard && it.secrets.is_none();
    body.secret.is_some() && body.signing.as_ref().is_some_and(is_for_profile)
}

/// Whether the field `secret` of a request is for Standard Webhooks.
pub(super) fn is_standard_secret(body: &EndpointIn) -> bool {
    body.secret.is_some() && !takes_secret(body)
}

/// The profile of an existing endpoint that a file declares. If the file has no profile, the
/// present one stays; secrets that mean the same stay as they are stored.
pub(super) fn merged(
    call: &Call,
    declared: &EndpointIn,
    old: &Endpoint,
) -> Result<Option<Box<Signing>>, ApiError> {
    if declared.signing.is_none() {
        return Ok(old.signing.clone());
    }
    let mut problems = Problems::within(&["body"]);
    let (given, _) = given(declared.signing.clone(), declared.secret.clone());
    let before = old.signing.as_deref();
    let new = changed(call, before, given, &mut problems)?;
    let mut new = problems.finish_with(new)?;
    if let (Some(before), Some(new)) = (before, &mut new)
        && texts(call, before)? == texts(call, new)?
    {
        new.secrets.clone_from(&before.secrets);
    }
    Ok(new)
}

/// The profile and the secret of a new endpoint. If only the profile signs, the secret is that of
/// the profile.
pub(super) fn given(
    signing: Option<EndpointSigning>,
    secret: Option<String>,
) -> (Patch<EndpointSigning>, Option<String>) {
    match signing {
        None => (Patch::Keep, secret),
        Some(it) if it.standard || it.secrets.is_some() || secret.is_none() => {
            (Patch::Set(it), secret)
        },
        Some(it) => {
            let secret = secret.map(|key| vec![SourceSecret { key, until: None }]);
            (Patch::Set(EndpointSigning { secrets: secret, ..it }), None)
        },
    }
}

/// The profile of an endpoint after a request that creates or changes the endpoint.
pub(super) fn changed(
    call: &Call,
    old: Option<&Signing>,
    given: Patch<EndpointSigning>,
    problems: &mut Problems<'_>,
) -> Result<Option<Box<Signing>>, ApiError> {
    let given = match given {
        Patch::Keep => return Ok(old.cloned().map(Box::new)),
        Patch::Clear => return Ok(None),
        Patch::Set(given) => given,
    };
    let Some(model) = model_of(&given, problems) else { return Ok(None) };
    let stored = old.map(|it| it.secrets.as_slice()).unwrap_or_default();
    let secrets = match given.secrets {
        Some(list) => replaced(call, stored, &list, problems),
        None if stored.is_empty() => generated(call, &model, problems).into_iter().collect(),
        None => stored.to_vec(),
    };
    check_keys(call, &model, &secrets, problems)?;
    let EndpointSigning { profile, model, standard, .. } = given;
    Ok(Some(Box::new(Signing { profile, model: model.map(|it| it.0), standard, secrets })))
}

/// Whether the endpoint can have a profile.
pub(super) fn check(endpoint: &Endpoint, problems: &mut Problems<'_>) {
    if endpoint.signing.is_none() {
        return;
    }
    problems.require(endpoint.kind.is_http(), FIELD, HTTP_ONLY);
    let message = "signs single messages; remove `batch` first";
    problems.require(endpoint.batch.is_none(), FIELD, message);
}

fn model_of(
    given: &EndpointSigning,
    problems: &mut Problems<'_>,
) -> Option<Cow<'static, SigningModel>> {
    if given.profile == CUSTOM {
        let Some(ModelText(json)) = &given.model else {
            problems.missing(&[FIELD, "model"]);
            return None;
        };
        let parsed = SigningModel::from_json(json);
        return parsed
            .map_err(|error| problems.add(&[FIELD, "model"], error.to_string()))
            .ok()
            .map(Cow::Owned);
    }
    if given.model.is_some() {
        problems.add(&[FIELD, "model"], "is only for the profile `custom`");
    }
    let known = profile::find(&given.profile);
    if known.is_none() {
        let names: Vec<_> = profile::all().iter().map(|it| it.id.as_str()).collect();
        let message = format!("is not known; use {} or {CUSTOM}", names.join(", "));
        problems.add(&[FIELD, "profile"], message);
    }
    known.map(|it| Cow::Borrowed(&it.model))
}

fn replaced(
    call: &Call,
    stored: &[SigningSecret],
    given: &[SourceSecret],
    problems: &mut Problems<'_>,
) -> Vec<SigningSecret> {
    if !(1..=MAX_SIGNING_SECRETS).contains(&given.len()) {
        let message = format!("must have 1 to {MAX_SIGNING_SECRETS} items");
        problems.add(&[FIELD, "secrets"], message);
        return Vec::new();
    }
    let item = |(index, secret): (usize, &SourceSecret)| {
        let place = [FIELD, "secrets", &index.to_string()];
        let until = secret.until.map(from_wire);
        if until.is_some_and(|it| it <= call.now) {
            problems.add(&place, "`until` must be in the future");
        }
        if index == 0 && until.is_some() {
            problems.add(&place, "the first secret cannot have `until`, because it is the newest");
        }
        if secret.key.len() > MAX_SIGNING_SECRET {
            problems.add(&place, format!("is longer than {MAX_SIGNING_SECRET} bytes"));
            return None;
        }
        if secret.key != MASK {
            return Some(SigningSecret { secret: secrets::seal_text(call, &secret.key), until });
        }
        let kept = stored.get(index);
        if kept.is_none() {
            problems.add(&place, "is `***`, but no secret is stored at this position");
        }
        kept.map(|it| SigningSecret { secret: it.secret.clone(), until })
    };
    given.iter().enumerate().filter_map(item).collect()
}

fn generated(
    call: &Call,
    model: &SigningModel,
    problems: &mut Problems<'_>,
) -> Option<SigningSecret> {
    let mut random = [0; 32];
    call.engine().clock().random(&mut random);
    let Some(text) = model.generate(random) else {
        problems.missing(&[FIELD, "secrets"]);
        return None;
    };
    Some(SigningSecret { secret: secrets::seal_text(call, &text), until: None })
}

fn check_keys(
    call: &Call,
    model: &SigningModel,
    found: &[SigningSecret],
    problems: &mut Problems<'_>,
) -> Result<(), ApiError> {
    for (index, it) in found.iter().enumerate() {
        let text = secrets::open_text(call, &it.secret)?;
        if let Err(error) = model.key(&text) {
            problems.add(&[FIELD, "secrets", &index.to_string()], error.to_string());
        }
    }
    Ok(())
}

/// The profile whose secret is the one that the receiver of the endpoint verifies with.
pub(super) fn decisive(endpoint: &Endpoint) -> Option<&Signing> {
    endpoint.signing.as_deref().filter(|it| !it.standard)
}

/// The key for receivers: the newest secret, or its public key in PEM.
pub(super) fn key(call: &Call, of: &Signing) -> Result<String, ApiError> {
    let model = signing::model(of).map_err(|error| ApiError::Internal(error.into()))?;
    let Some(newest) = of.secrets.first() else { return Ok(String::new()) };
    let text = secrets::open_text(call, &newest.secret)?;
    let public = model.key(&text).ok().and_then(|key| key.public_key());
    Ok(public.map_or_else(|| text.to_string(), |key| key.to_pem()))
}

/// A request to replace the secret of a profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewSecret<'a> {
    /// Generated if absent.
    pub given: Option<&'a str>,
    /// The field of the body that has it.
    pub field: &'a str,
    /// How long the old secrets still sign.
    pub grace: Duration,
}

/// Puts a new secret before the others, which sign for the grace period.
pub(super) fn rotated(
    call: &Call,
    old: &Signing,
    new: NewSecret<'_>,
    problems: &mut Problems<'_>,
) -> Result<Signing, ApiError> {
    let model = signing::model(old).map_err(|error| ApiError::Internal(error.into()))?;
    let until = call.now + new.grace;
    let new = match new.given {
        Some(text) => given_key(call, &model, (new.field, text), problems),
        None => generated(call, &model, problems),
    };
    let ending = |it: &SigningSecret| SigningSecret {
        secret: it.secret.clone(),
        until: Some(it.until.map_or(until, |before| before.min(until))),
    };
    let old_secrets = old.secrets.iter().map(ending).filter(|it| is_in_use(it, call.now));
    let secrets: Vec<_> = new.into_iter().chain(old_secrets).collect();
    if secrets.len() > MAX_SIGNING_SECRETS {
        return Err(ApiError::Bad {
            code: "too_many_keys",
            detail: format!(
                "{MAX_SIGNING_SECRETS} secrets are still in use; wait until one of them expires"
            ),
        });
    }
    Ok(Signing { secrets, ..old.clone() })
}

/// Replaces the secret that the receiver verifies with, at once.
pub(super) fn change_secret(
    call: &Call,
    endpoint: &mut Endpoint,
    text: &str,
    problems: &mut Problems<'_>,
) -> Result<(), ApiError> {
    if let Some(profile) = decisive(endpoint) {
        let new = NewSecret { given: Some(text), field: "secret", grace: Duration::ZERO };
        let rotated = rotated(call, profile, new, problems)?;
        endpoint.signing = Some(Box::new(rotated));
    } else if let Some(secret) = secrets::parse(text, "secret", problems) {
        endpoint.secret = secrets::seal(call, &secret);
    }
    Ok(())
}

fn is_in_use(secret: &SigningSecret, now: Timestamp) -> bool {
    secret.until.is_none_or(|until| until > now)
}

fn given_key(
    call: &Call,
    model: &SigningModel,
    (field, text): (&str, &str),
    problems: &mut Problems<'_>,
) -> Option<SigningSecret> {
    if text.len() > MAX_SIGNING_SECRET {
        problems.add(&[field], format!("is longer than {MAX_SIGNING_SECRET} bytes"));
        return None;
    }
    match model.key(text) {
        Ok(_) => Some(SigningSecret { secret: secrets::seal_text(call, text), until: None }),
        Err(error) => {
            problems.add(&[field], error.to_string());
            None
        },
    }
}
