//! Signatures by a profile, for receivers that verified the webhooks of another system.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use postrider::provider::{
    Headers, Selector,
    profile::{self, InvalidSigningModel, ProfileKey, Rotation, SignedEvent, SigningModel},
};
use url::Url;

use crate::{
    catalog::Signing,
    time::Timestamp,
    vault::{Vault, VaultError},
};

/// The `profile` of an endpoint that has a model of its own.
pub const CUSTOM: &str = "custom";

/// Why the requests of a stored endpoint cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("stored signing profile `{0}` is not known to this version")]
    Unknown(String),
    #[error("stored signing model {0}")]
    Model(#[from] InvalidSigningModel),
    #[error("stored secret of the signing profile is not valid: {0}")]
    Key(String),
    #[error(transparent)]
    Secret(#[from] VaultError),
}

/// How the profile signs.
pub fn model(signing: &Signing) -> Result<Cow<'static, SigningModel>, SigningError> {
    if let Some(json) = signing.model.as_deref().filter(|_| signing.profile == CUSTOM) {
        return Ok(Cow::Owned(SigningModel::from_json(json)?));
    }
    match profile::find(&signing.profile) {
        Some(known) => Ok(Cow::Borrowed(&known.model)),
        None => Err(SigningError::Unknown(signing.profile.clone())),
    }
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The id of the message or the batch.
    pub id: &'a str,
    /// The publisher's id of the event, or the same id.
    pub event_id: &'a str,
    /// Empty for a batch.
    pub event_type: &'a str,
    pub body: &'a [u8],
    pub at: Timestamp,
}

/// Signs requests as a profile does.
#[derive(Debug)]
pub(crate) struct ProfileSigner {
    model: Cow<'static, SigningModel>,
    /// Newest first, each with the time until which it signs.
    keys: Vec<(ProfileKey, Timestamp)>,
    with_standard: bool,
}

impl ProfileSigner {
    pub(crate) fn new(signing: &Signing, vault: &Vault) -> Result<Self, SigningError> {
        let model = model(signing)?;
        let mut keys = Vec::new();
        for it in &signing.secrets {
            let secret = vault.open_text(&it.secret)?;
            let key = model.key(&secret).map_err(|error| SigningError::Key(error.to_string()))?;
            keys.push((key, it.until.unwrap_or(Timestamp::MAX)));
        }
        Ok(Self { model, keys, with_standard: signing.standard })
    }

    /// Whether requests are also signed by Standard Webhooks.
    pub(crate) const fn is_with_standard(&self) -> bool {
        self.with_standard
    }

    /// The names of the headers that contain signatures.
    pub(crate) fn signature_names(&self) -> impl Iterator<Item = &str> {
        let first = match self.model.sign.signature().map(|it| &it.signature) {
            Some(Selector::Header(name)) => Some(name.as_str()),
            Some(_) | None => None,
        };
        let second = match &self.model.rotation {
            Rotation::Header(name) => Some(name.as_str()),
            Rotation::Newest | Rotation::Repeat | Rotation::Join => None,
        };
        first.into_iter().chain(second)
    }

    /// Adds the headers of the profile. A request whose content cannot be signed stays without
    /// them, so that its receiver refuses it; validation of the model makes sure that there is
    /// none.
    pub(crate) fn sign(
        &self,
        method: &Method,
        url: &Url,
        subject: &Subject<'_>,
        headers: &mut HeaderMap,
    ) {
        let keys = self.keys.iter().filter(|(_, until)| *until > subject.at);
        let keys: Vec<_> = keys.map(|(key, _)| key).collect();
        let present: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let event = SignedEvent {
            method: method.as_str(),
            url: url.as_str(),
            headers: Headers(&present),
            body: subject.body,
            id: subject.event_id,
            event_type: subject.event_type,
            at_millis: subject.at.as_millis(),
        };
        let signed = self.model.sign(&keys, &event).unwrap_or_default();
        for (name, value) in signed {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(&value))
            {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;
    use postrider::signature::Secret;

    use super::*;
    use crate::{
        catalog::{Endpoint, SigningSecret},
        fixtures,
        message::Message,
        request::{Prepared, SignatureHeaders},
    };

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn signing(vault: &Vault, profile: &str) -> Signing {
        let secret = |text: &str, until: Option<u64>| SigningSecret {
            secret: vault.seal_text(text, [5; 24]),
            until: until.map(Timestamp::from_millis),
        };
        let secrets = vec![
            secret("new", None),
            secret("old", Some(1_700_000_001_000)),
            secret("gone", Some(1_700_000_000_999)),
        ];
        Signing { profile: profile.to_owned(), model: None, standard: false, secrets }
    }

    fn request(vault: &Vault, signing: Signing) -> Request<Bytes> {
        let secret = vault.seal(&SECRET.parse().unwrap(), [1; 24]);
        let signing = Some(Box::new(signing));
        let endpoint = Endpoint { signing, secret, ..fixtures::endpoint() };
        let agent = HeaderValue::from_static("Postrider/test");
        let prepared = Prepared::new(&endpoint, vault, SignatureHeaders::Both, &agent).unwrap();
        let message = Message { event_id: Some("ev-1".parse().unwrap()), ..fixtures::message() };
        let body = message.body.clone().unwrap();
        prepared.request(&message, body, Timestamp::from_millis(1_700_000_000_999))
    }

    fn value<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
        request.headers().get(name).map_or("", |it| it.to_str().unwrap())
    }

    #[test]
    fn a_profile_replaces_the_headers_of_standard_webhooks() {
        let vault = Vault::new("main");
        let request = request(&vault, signing(&vault, "outpost-timestamped"));
        assert!(value(&request, "webhook-id").is_empty());
        assert!(value(&request, "svix-signature").is_empty());
        assert_eq!(value(&request, "x-outpost-event-id"), "ev-1");
        assert_eq!(value(&request, "x-outpost-topic"), "user.created");
        assert_eq!(value(&request, "x-outpost-timestamp"), "2023-11-14T22:13:20Z");
        let signature = value(&request, "x-outpost-signature");
        assert!(signature.starts_with("t=1700000000,v0="), "{signature}");
        assert_eq!(
            signature.split(',').count(),
            3,
            "the secret that has expired signs: {signature}"
        );
    }

    #[test]
    fn a_receiver_that_changes_over_gets_both_signatures() {
        let vault = Vault::new("main");
        let signing = Signing { standard: true, ..signing(&vault, "hookdeck") };
        let request = request(&vault, signing);
        let id = fixtures::message().id.to_string();
        let secret: Secret = SECRET.parse().unwrap();
        let expected = secret.sign(&id, 1_700_000_000, request.body());
        assert_eq!(value(&request, "webhook-signature"), expected);
        assert_eq!(value(&request, "webhook-id"), id);
        assert_eq!(value(&request, "x-hookdeck-eventid"), "ev-1");
        assert!(!value(&request, "x-hookdeck-signature").is_empty());
        assert!(!value(&request, "x-hookdeck-signature-2").is_empty());
    }

    #[test]
    fn a_profile_that_this_version_does_not_know_is_an_error() {
        let vault = Vault::new("main");
        let error = ProfileSigner::new(&signing(&vault, "other"), &vault).unwrap_err();
        assert!(error.to_string().contains("`other`"));
        let broken = Signing { model: Some("{}".to_owned()), ..signing(&vault, CUSTOM) };
        assert!(matches!(ProfileSigner::new(&broken, &vault), Err(SigningError::Model(_))));
        let other = Vault::new("other");
        let error = ProfileSigner::new(&signing(&vault, "convoy"), &other).unwrap_err();
        assert!(matches!(error, SigningError::Secret(_)));
    }
}
