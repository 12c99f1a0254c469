//! Signs requests as the provider of a source does.

use std::borrow::Cow;

use postrider::{
    api::{IngestSourceOut, SourceSecretsOut},
    provider::{
        self, Code, JwtAlgorithm, Provider, Scheme, Selector, Settings, SignError, SignedRequest,
        UnsignedRequest,
    },
};

use super::{
    body::parameter_field,
    load::{provider_name, provider_of},
};
use crate::form::Form;

/// A provider with the secret of one source.
#[derive(Debug)]
pub(super) struct Signer {
    provider: Option<Cow<'static, Provider>>,
    settings: Settings,
    url: String,
}

impl Signer {
    /// A signer with the newest secret; `form` may contain parameters.
    pub(super) fn new(source: &IngestSourceOut, secrets: &SourceSecretsOut, form: &Form) -> Self {
        let provider = provider_of(source);
        let mut settings = Settings::new(secrets.secrets.iter().map(|it| it.key.as_str()));
        for parameter in provider.iter().flat_map(|it| &it.parameters) {
            if let Some(value) = form.text(&parameter_field(&parameter.name)) {
                settings.parameters.insert(parameter.name.clone(), value.to_owned().into());
            }
        }
        let url = source.public_url.clone().unwrap_or_else(|| source.ingest_url.clone());
        Self { provider, settings, url }
    }

    /// A sample event of a type, or of the first type.
    pub(super) fn sample(&self, event: Option<&str>, seed: u64, now: u64) -> UnsignedRequest {
        let provider = self.provider.as_deref();
        let sample = provider.and_then(|it| provider::sample::event(it, event, seed, now));
        let sample = sample.unwrap_or_else(|| UnsignedRequest {
            body: format!(r#"{{"type":"test","id":"test_{seed}"}}"#).into_bytes(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            ..UnsignedRequest::default()
        });
        UnsignedRequest { url: self.url.clone(), ..sample }
    }

    /// A request with a body that was received.
    pub(super) fn draft(&self, body: Vec<u8>, headers: Vec<(String, String)>) -> UnsignedRequest {
        UnsignedRequest { url: self.url.clone(), body, headers, ..UnsignedRequest::default() }
    }

    /// The headers with the signature or the secret, in lower case; none if that is not known.
    pub(super) fn credentials(&self) -> Vec<String> {
        let provider = self.provider.as_deref();
        let selectors = provider.into_iter().flat_map(|it| it.model.credentials());
        let headers = selectors.filter_map(|it| match it {
            Selector::Header(name) => Some(name.to_ascii_lowercase()),
            Selector::Query(_)
            | Selector::Form(..)
            | Selector::Json(_)
            | Selector::Key(_)
            | Selector::Field(_) => None,
        });
        headers.collect()
    }

    /// Signs a request at a time, in seconds since 1970.
    pub(super) fn sign(
        &self,
        draft: UnsignedRequest,
        now: u64,
    ) -> Result<SignedRequest, SignError> {
        match self.provider.as_deref() {
            Some(provider) => provider::sign(provider, &self.settings, draft, now),
            None => Ok(SignedRequest {
                method: "POST".to_owned(),
                url: draft.url,
                headers: draft.headers,
                body: draft.body,
            }),
        }
    }
}

/// Why a request could not be signed, and what to do.
pub(super) fn explain(error: &SignError, source: &IngestSourceOut) -> String {
    let name = provider_name(&source.provider);
    let has_key_pair = provider_of(source).is_some_and(|it| signs_with_private_key(&it));
    match error {
        SignError::NoSecret => "The source has no secret. Set it first.".to_owned(),
        SignError::Parameter("private_key") => private_key(&name),
        SignError::Secret(_) if has_key_pair => private_key(&name),
        SignError::Secret(reason) => format!("The secret cannot be used to sign: {reason}."),
        SignError::Parameter(parameter) => format!(
            "Signing needs the parameter {parameter}. The API does not return it; enter it below."
        ),
        SignError::Body(_) | SignError::Unsupported(_) | _ => {
            format!("The request could not be signed: {error}.")
        },
    }
}

fn private_key(name: &str) -> String {
    format!(
        "{name} signs with a private key that only {name} has. The source verifies with a public \
         key, which cannot sign. Send a test from {name} instead."
    )
}

fn signs_with_private_key(provider: &Provider) -> bool {
    let is_hmac = |it: &JwtAlgorithm| {
        matches!(it, JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512)
    };
    let codes = [Code::AlipayPlus, Code::WechatPay, Code::Ebay, Code::NeonAuth];
    provider.model.verify.first().is_some_and(|scheme| match scheme {
        Scheme::Ed25519(_) | Scheme::Ecdsa(_) | Scheme::Rsa(_) => true,
        Scheme::Jwt(jwt) => !jwt.algorithms.iter().any(is_hmac),
        Scheme::Code(it) => codes.contains(&it.code),
        Scheme::Hmac(_)
        | Scheme::Digest(_)
        | Scheme::SharedSecret(_)
        | Scheme::Basic
        | Scheme::None => false,
    })
}

#[cfg(test)]
mod tests {
    use postrider::api::ingest::SourceSecret;
    use serde_json::json;

    use super::*;

    fn source(provider: &str) -> IngestSourceOut {
        serde_json::from_value(json!({
            "id": "src_01m8ev56fze009kajsx8p2f640", "name": "A", "type": provider,
            "provider": provider, "ingestUrl": "http://localhost/in/t", "metadata": {},
            "appId": "app_01m8ev56fze00rjfth40q11f8h", "status": "ready",
            "verification": "required", "disabled": false, "secretCount": 1,
            "parameterNames": [], "dedupeWindowSeconds": 1, "dedupeByBody": false,
            "createdAt": "2026-11-27T15:49:33Z", "updatedAt": "2026-11-27T15:49:33Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_sample_is_signed_with_the_secret_of_the_source() {
        let key = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4".to_owned();
        let secrets = SourceSecretsOut { secrets: vec![SourceSecret { key, until: None }] };
        let signer = Signer::new(&source("stripe"), &secrets, &Form::default());
        let sample = signer.sample(None, 1, 1_790_000_000);
        let signed = signer.sign(sample, 1_790_000_000).unwrap();
        assert!(signed.headers.iter().any(|it| it.0.eq_ignore_ascii_case("stripe-signature")));
        let none = SourceSecretsOut { secrets: Vec::new() };
        let signer = Signer::new(&source("stripe"), &none, &Form::default());
        let sample = signer.sample(None, 1, 1_790_000_000);
        assert_eq!(signer.sign(sample, 1_790_000_000), Err(SignError::NoSecret));
    }

    #[test]
    fn it_is_explained_why_a_request_cannot_be_signed() {
        let wrong = SignError::Secret("it is not hexadecimal".to_owned());
        let rows = [
            ("discord", &wrong, "private key"),
            ("wechat-pay", &wrong, "private key"),
            ("paypal", &SignError::Parameter("private_key"), "private key"),
            ("adyen", &wrong, "it is not hexadecimal"),
            ("stripe", &SignError::NoSecret, "no secret"),
            ("twilio", &SignError::Parameter("email"), "parameter email"),
        ];
        for (provider, error, expected) in rows {
            let explained = explain(error, &source(provider));
            assert!(explained.contains(expected), "{provider}: {explained}");
        }
    }
}
