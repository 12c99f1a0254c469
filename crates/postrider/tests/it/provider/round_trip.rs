//! What is signed as a provider would verifies, and nothing else does.

use postrider::provider::{
    KeyFormat, Model, PrivateKey, Provider, Scheme, Selector, Settings, SignError, Signature,
    SignedRequest, Timestamp, UnsignedRequest, VerifyError, all, sign,
};
use proptest::prelude::*;

use super::receive;

/// Providers that say who sent a request and not what: their signature, if there is one, does
/// not cover the body.
const BODY_NOT_COVERED: [&str; 24] = [
    "adobe-sign",
    "auth0",
    "buildkite",
    "chargebee",
    "cloudevents",
    "cloudflare-notifications",
    "datadog",
    "deepgram",
    "flutterwave",
    "gitlab",
    "google-channels",
    "huggingface",
    "mailgun",
    "microsoft-graph",
    "okta",
    "pipedrive",
    "postmark",
    "ringcentral",
    "salesforce",
    "sharepoint",
    "strava",
    "supabase",
    "telegram",
    "vapi",
];

const NOW: u64 = 1_700_000_000;

/// One way of signing, as a separate provider.
struct Case {
    id: &'static str,
    provider: Provider,
    /// What signs.
    private: String,
    /// What verifies.
    public: String,
    /// Verifies nothing of this case.
    wrong_key: String,
}

impl Case {
    fn new(id: &'static str, model: &Model, scheme: &Scheme) -> Option<Self> {
        let model = Model { verify: vec![scheme.clone()], ..model.clone() };
        let (private, public, wrong_key) = secrets(scheme)?;
        Some(Self { id, provider: Provider::new(id, model), private, public, wrong_key })
    }

    fn signature(&self) -> Option<&Signature> {
        self.provider.model.verify[0].signature()
    }

    fn covers_body(&self) -> bool {
        self.signature().is_some_and(|it| it.content.covers_body())
    }

    /// Whether a value has to be found in the body or put there.
    fn needs_json(&self) -> bool {
        let json = |it: &Selector| matches!(it, Selector::Json(_));
        if let Scheme::SharedSecret(it) = &self.provider.model.verify[0] {
            return json(&it.source);
        }
        self.signature().is_some_and(|it| {
            json(&it.signature)
                || it.timestamp.as_ref().is_some_and(|it| json(&it.source))
                || it.content.selectors().any(json)
        })
    }

    #[track_caller]
    fn sign(&self, body: &[u8]) -> SignedRequest {
        let body = if self.needs_json() {
            let text = String::from_utf8_lossy(body);
            serde_json::json!({ "text": text, "value": [{ "id": 1 }, { "id": 2 }] })
                .to_string()
                .into()
        } else {
            body.to_vec()
        };
        let draft = UnsignedRequest {
            url: "https://example.test/in/abc?a=1&b=%2F".to_owned(),
            event_type: Some("invoice.paid".to_owned()),
            event_id: Some("ev_1".to_owned()),
            body,
            ..UnsignedRequest::default()
        };
        let signed = sign(&self.provider, &Settings::new([&self.private]), draft, NOW);
        signed.unwrap_or_else(|it| panic!("{}: {it}", self.id))
    }

    fn verify(
        &self,
        secrets: &[&String],
        signed: &SignedRequest,
        now: u64,
    ) -> Result<usize, VerifyError> {
        let settings = Settings::new(secrets.iter().copied());
        receive(&self.provider, &settings, signed, now).map(|it| it.secret.unwrap())
    }
}

/// What signs, what verifies, and what verifies something else.
pub(super) fn secrets(scheme: &Scheme) -> Option<(String, String, String)> {
    let same = |one: &str, other: &str| Some((one.to_owned(), one.to_owned(), other.to_owned()));
    match scheme {
        Scheme::Hmac(it) | Scheme::Digest(it) => match it.key {
            KeyFormat::Hex => same("00112233445566778899aabbccddeeff", "ff"),
            KeyFormat::Base64 => {
                same("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLTzn")
            },
            KeyFormat::Whsec => same(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLTzn",
            ),
            KeyFormat::Utf8 | KeyFormat::Whpk | KeyFormat::Pem | KeyFormat::SpkiBase64 => {
                same("it's a secret \u{e9}", "it's another")
            },
        },
        Scheme::Ed25519(_) => Some((
            include_str!("../../keys/ed25519.pem").to_owned(),
            include_str!("../../keys/ed25519.pub").to_owned(),
            "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=".to_owned(),
        )),
        Scheme::Ecdsa(_) => Some((
            include_str!("../../keys/p256.pem").to_owned(),
            include_str!("../../keys/p256.pub").to_owned(),
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==".to_owned(),
        )),
        Scheme::Rsa(_) => Some((
            include_str!("../../keys/rsa.pem").to_owned(),
            include_str!("../../keys/rsa.pub").to_owned(),
            other_rsa_key(),
        )),
        Scheme::SharedSecret(_) => same("t0ken", "t0kem"),
        Scheme::Basic => same("user:pass:word", "user:pass"),
        Scheme::None | Scheme::Jwt(_) | Scheme::Code(_) => None,
    }
}

fn other_rsa_key() -> String {
    let key: PrivateKey = include_str!("../../keys/rsa-other.pem").parse().unwrap();
    key.public_key().to_pem()
}

/// All ways of signing of all providers.
fn cases() -> Vec<Case> {
    let of = |it: &'static Provider| {
        it.model.verify.iter().filter_map(|scheme| Case::new(&it.id, &it.model, scheme))
    };
    all().iter().flat_map(of).collect()
}

fn tolerance(case: &Case) -> Option<&Timestamp> {
    case.signature()?.timestamp.as_ref()
}

#[test]
fn schemes_that_do_not_cover_the_body_are_known() {
    let mut found: Vec<_> = cases().iter().filter(|it| !it.covers_body()).map(|it| it.id).collect();
    found.extend(all().iter().filter(|it| !it.is_signed()).map(|it| it.id.as_str()));
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, BODY_NOT_COVERED);
}

#[test]
fn nothing_verifies_without_a_secret() {
    for case in cases() {
        let signed = case.sign(b"{}");
        assert_eq!(case.verify(&[], &signed, NOW), Err(VerifyError::NoSecret), "{}", case.id);
        let draft = UnsignedRequest { body: b"{}".to_vec(), ..UnsignedRequest::default() };
        let unsigned = sign(&case.provider, &Settings::default(), draft, NOW);
        assert_eq!(unsigned, Err(SignError::NoSecret), "{}", case.id);
    }
}

#[test]
fn stale_requests_are_rejected_if_a_time_is_signed() {
    for case in cases() {
        let signed = case.sign(b"{}");
        let Some(timestamp) = tolerance(&case) else { continue };
        let strict = Settings {
            tolerance: Some(std::time::Duration::from_secs(10)),
            ..Settings::new([&case.public])
        };
        let at = |now| receive(&case.provider, &strict, &signed, now).map(|it| it.secret);
        assert_eq!(at(NOW + 10), Ok(Some(0)), "{}", case.id);
        assert_eq!(at(NOW + 11), Err(VerifyError::TooOld), "{}", case.id);
        assert_eq!(at(NOW - 11), Err(VerifyError::TooNew), "{}", case.id);
        let at = |now| case.verify(&[&case.public], &signed, now);
        if let Some(tolerance) = timestamp.tolerance_s {
            assert_eq!(at(NOW + tolerance), Ok(0), "{}", case.id);
            assert_eq!(at(NOW + tolerance + 1), Err(VerifyError::TooOld), "{}", case.id);
            assert_eq!(at(NOW - tolerance - 1), Err(VerifyError::TooNew), "{}", case.id);
        } else {
            assert_eq!(at(NOW + 1_000_000), Ok(0), "{}", case.id);
        }
    }
}

#[test]
fn type_and_id_are_read_from_headers() {
    for case in cases() {
        let signed = case.sign(b"{}");
        let settings = Settings::new([&case.public]);
        let verified = receive(&case.provider, &settings, &signed, NOW).unwrap();
        let in_header = |it: &[postrider::provider::Expression]| {
            it.first().is_some_and(|it| matches!(it.terms[..], [Selector::Header(_)]))
        };
        if in_header(&case.provider.model.event_type) {
            assert_eq!(verified.event_type.as_deref(), Some("invoice.paid"), "{}", case.id);
        }
        if in_header(&case.provider.model.event_id) {
            assert_eq!(verified.event_id.as_deref(), Some("ev_1"), "{}", case.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn only_the_signed_request_verifies(
        body in prop::collection::vec(any::<u8>(), 0..300),
        place: prop::sample::Index,
        change in 1..=255_u8,
    ) {
        for case in cases() {
            let signed = case.sign(&body);
            prop_assert_eq!(case.verify(&[&case.public], &signed, NOW), Ok(0), "{}", case.id);
            let both = [&case.wrong_key, &case.public];
            prop_assert_eq!(case.verify(&both, &signed, NOW), Ok(1), "{}", case.id);
            let other = case.verify(&[&case.wrong_key], &signed, NOW);
            prop_assert_eq!(other, Err(VerifyError::Signature), "{}", case.id);
            if case.covers_body() {
                let mut changed = signed.clone();
                changed.body.push(change);
                prop_assert!(case.verify(&[&case.public], &changed, NOW).is_err(), "{}", case.id);
                if signed.body.is_empty() {
                    continue;
                }
                changed.body.clone_from(&signed.body);
                changed.body[place.index(signed.body.len())] ^= change;
                prop_assert!(case.verify(&[&case.public], &changed, NOW).is_err(), "{}", case.id);
            }
        }
    }
}
