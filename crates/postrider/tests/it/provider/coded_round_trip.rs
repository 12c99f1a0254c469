//! What is signed as the providers that take code, or with JSON Web Tokens, verifies, and
//! nothing else does.

use postrider::provider::{
    Request, Scheme, Settings, SignError, SignedRequest, UnsignedRequest, VerifyError, all, find,
    sign,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::receive;

const NOW: u64 = 1_790_000_000;
const URL: &str = "https://hooks.example.com/in/abc?a=1&b=%2F";

const RSA: &str = include_str!("../../keys/rsa.pem");
const RSA_PUBLIC: &str = include_str!("../../keys/rsa.pub");
const OTHER_RSA: &str = include_str!("../../keys/rsa-other.pem");
const P256: &str = include_str!("../../keys/p256.pem");
const P256_PUBLIC: &str = include_str!("../../keys/p256.pub");
const ED25519: &str = include_str!("../../keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("../../keys/ed25519.pub");
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:ours";
const HEX: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

const ITEM: &str = r#"{"live":"false","notificationItems":[{"NotificationRequestItem":{"pspReference":"8415","merchantReference":"@","merchantAccountCode":"M","amount":{"currency":"EUR","value":1130},"eventCode":"AUTHORISATION","success":"true"}}]}"#;
const SIGN_EVENT: &str = r#"{"event":{"event_type":"signature_request_sent"},"text":"@"}"#;
const BRAINTREE: &str = "<notification><timestamp type=\"datetime\">2026-01-01T00:00:00Z</timestamp><kind>dispute_opened</kind><subject><dispute><id>d1</id><reason>@</reason></dispute></subject></notification>";
const WIX: &str = r#"{"data":"{\"eventType\":\"wix.ecom.v1.order_created\",\"instanceId\":\"i\",\"data\":\"{\\\"id\\\":\\\"ev_1\\\",\\\"slug\\\":\\\"@\\\"}\"}"}"#;
const JSON: &str = r#"{"id":"ev_1","text":"@"}"#;

#[derive(Clone, Copy, Debug)]
struct Case {
    provider: &'static str,
    private: &'static str,
    public: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    /// `@` is replaced by a text.
    body: &'static str,
    covers_body: bool,
}

const fn case(provider: &'static str, private: &'static str, public: &'static str) -> Case {
    Case { provider, private, public, parameters: &[], body: JSON, covers_body: true }
}

const fn shared(provider: &'static str) -> Case {
    case(provider, "it's a secret \u{e9}", "it's a secret \u{e9}")
}

const CASES: [Case; 20] = [
    Case { body: ITEM, ..case("adyen", HEX, HEX) },
    case("alipay-plus", RSA, RSA_PUBLIC),
    Case {
        parameters: &[("private_key", RSA), ("certificate", RSA_PUBLIC)],
        ..case("aws-sns", TOPIC, TOPIC)
    },
    Case { parameters: &[("public_key", "pk")], body: BRAINTREE, ..shared("braintree") },
    shared("contentful"),
    Case { body: SIGN_EVENT, covers_body: false, ..shared("dropbox-sign") },
    case("ebay", P256, P256_PUBLIC),
    shared("exact-online"),
    shared("mandrill"),
    case("neon-auth", ED25519, ED25519_PUBLIC),
    Case {
        parameters: &[("private_key", RSA), ("certificate", RSA_PUBLIC)],
        ..case("paypal", "4JH86294D6297924G", "4JH86294D6297924G")
    },
    shared("solidgate"),
    Case { body: "Body=@&MessageSid=SM1", ..shared("twilio") },
    shared("twilio"),
    case("wechat-pay", RSA, RSA_PUBLIC),
    shared("netlify"),
    case("fusionauth", ED25519, ED25519_PUBLIC),
    case("plaid", P256, P256_PUBLIC),
    Case {
        parameters: &[("email", "push@project.iam.gserviceaccount.com")],
        covers_body: false,
        ..case("google-pubsub", RSA, RSA_PUBLIC)
    },
    Case { covers_body: false, ..shared("monday") },
];

const WIX_CASE: Case = Case { body: WIX, ..case("wix", RSA, RSA_PUBLIC) };

impl Case {
    fn settings(&self, secrets: &[&str]) -> Settings {
        let mut settings = Settings::new(secrets.iter().copied());
        let owned =
            |(name, it): &(&str, &str)| ((*name).to_owned(), Zeroizing::new((*it).to_owned()));
        settings.parameters.extend(self.parameters.iter().map(owned));
        settings
    }

    fn sign(&self, text: &str) -> SignedRequest {
        let draft = UnsignedRequest {
            url: URL.to_owned(),
            event_type: Some("invoice.paid".to_owned()),
            event_id: Some("ev_1".to_owned()),
            body: self.body.replace('@', text).into_bytes(),
            ..UnsignedRequest::default()
        };
        let signed =
            sign(find(self.provider).unwrap(), &self.settings(&[self.private]), draft, NOW);
        signed.unwrap_or_else(|it| panic!("{}: {it}", self.provider))
    }

    fn verify(
        &self,
        secrets: &[&str],
        signed: &SignedRequest,
        now: u64,
    ) -> Result<Option<usize>, VerifyError> {
        let verified = receive(find(self.provider).unwrap(), &self.settings(secrets), signed, now);
        verified.map(|it| it.secret)
    }

    /// A secret that is well formed and wrong.
    fn wrong_key(&self) -> String {
        match self.public {
            RSA_PUBLIC => {
                let key: postrider::provider::PrivateKey = OTHER_RSA.parse().unwrap();
                key.public_key().to_pem()
            },
            P256_PUBLIC => {
                let key: postrider::provider::PrivateKey =
                    include_str!("../../keys/p256-other.pem").parse().unwrap();
                key.public_key().to_pem()
            },
            ED25519_PUBLIC => "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=".to_owned(),
            HEX => HEX.replace('4', "5"),
            secret => format!("{secret}."),
        }
    }
}

fn cases() -> impl Iterator<Item = Case> {
    CASES.into_iter().chain([WIX_CASE])
}

#[test]
fn every_provider_with_code_or_tokens_is_tested() {
    for provider in all() {
        let takes_code = |it: &Scheme| matches!(it, Scheme::Code(_) | Scheme::Jwt(_));
        let is_tried = cases().any(|it| it.provider == provider.id);
        assert_eq!(provider.model.verify.iter().any(takes_code), is_tried, "{}", provider.id);
    }
}

#[test]
fn a_signature_verifies_only_with_the_right_secret() {
    for case in cases() {
        let (signed, wrong_key) = (case.sign("hello"), case.wrong_key());
        let id = case.provider;
        assert_eq!(case.verify(&[case.public], &signed, NOW), Ok(Some(0)), "{id}");
        assert_eq!(case.verify(&[&wrong_key, case.public], &signed, NOW + 1), Ok(Some(1)), "{id}");
        assert_eq!(case.verify(&[case.public, &wrong_key], &signed, NOW), Ok(Some(0)), "{id}");
        assert_eq!(case.verify(&[&wrong_key], &signed, NOW), Err(VerifyError::Signature), "{id}");
        assert!(case.verify(&[], &signed, NOW).is_err(), "{id}");
    }
}

#[test]
fn types_and_ids_are_found() {
    for (provider, event_type, event_id) in [
        ("adyen", "AUTHORISATION", "AUTHORISATION:8415"),
        ("braintree", "dispute_opened", "dispute_opened:2026-01-01T00:00:00Z:d1"),
        ("wix", "wix.ecom.v1.order_created", "ev_1"),
        ("contentful", "invoice.paid", "ev_1"),
        ("neon-auth", "invoice.paid", "ev_1"),
        ("solidgate", "invoice.paid", "ev_1"),
    ] {
        let case = cases().find(|it| it.provider == provider).unwrap();
        let settings = case.settings(&[case.public]);
        let verified = receive(find(provider).unwrap(), &settings, &case.sign("x"), NOW).unwrap();
        assert_eq!(verified.event_type.as_deref(), Some(event_type), "{provider}");
        assert_eq!(verified.event_id.as_deref(), Some(event_id), "{provider}");
    }
}

#[test]
fn stale_signatures_are_rejected_if_a_time_is_signed() {
    for case in cases() {
        let timeless =
            ["adyen", "braintree", "ebay", "exact-online", "mandrill", "solidgate", "twilio"];
        if timeless.contains(&case.provider) {
            continue;
        }
        let mut settings = case.settings(&[case.public]);
        settings.tolerance = Some(std::time::Duration::from_secs(60));
        let (signed, provider) = (case.sign("x"), find(case.provider).unwrap());
        let at = |now| receive(provider, &settings, &signed, now).map(|_| ());
        assert_eq!(at(NOW + 30), Ok(()), "{}", case.provider);
        assert_eq!(at(NOW + 400), Err(VerifyError::TooOld), "{}", case.provider);
        assert_eq!(at(NOW - 400), Err(VerifyError::TooNew), "{}", case.provider);
    }
}

#[test]
fn a_request_without_a_signature_is_rejected() {
    for case in cases() {
        let bare = SignedRequest { headers: Vec::new(), body: b"{}".to_vec(), ..case.sign("x") };
        let reason = case.verify(&[case.public], &bare, NOW).unwrap_err();
        let is_told = matches!(reason, VerifyError::Missing(_) | VerifyError::Malformed(_));
        assert!(is_told, "{}: {reason:?}", case.provider);
    }
}

#[test]
fn signing_reports_what_is_missing() {
    for case in cases() {
        let draft = || UnsignedRequest {
            url: URL.to_owned(),
            body: case.body.into(),
            ..UnsignedRequest::default()
        };
        let provider = find(case.provider).unwrap();
        let mut settings = case.settings(&[]);
        let reason = sign(provider, &settings, draft(), NOW).unwrap_err();
        assert_eq!(reason, SignError::NoSecret, "{}", case.provider);
        settings.secrets = Settings::new([case.private]).secrets;
        settings.parameters.remove("private_key");
        if settings.parameters.contains_key("certificate") {
            let reason = sign(provider, &settings, draft(), NOW).unwrap_err();
            assert_eq!(reason, SignError::Parameter("private_key"), "{}", case.provider);
        }
    }
}

/// Letters that mean nothing in forms, XML and nested JSON.
const TEXT: &str = "[a-zA-Z0-9 ]{0,40}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_verifies_and_no_other(text in TEXT, other in TEXT) {
        for case in cases() {
            let signed = case.sign(&text);
            prop_assert_eq!(case.verify(&[case.public], &signed, NOW), Ok(Some(0)), "{:?}", case);
            let body = case.sign(&other).body;
            if case.covers_body && body != signed.body {
                let mut swapped = signed.clone();
                swapped.body = body;
                // Some bodies carry their own signature; there the headers are what is swapped.
                let is_whole = ["adyen", "aws-sns", "braintree", "exact-online", "wix"];
                if !is_whole.contains(&case.provider) {
                    prop_assert!(case.verify(&[case.public], &swapped, NOW).is_err(), "{:?}", case);
                }
            }
        }
    }

    #[test]
    fn no_changed_byte_of_the_body_is_believed(at: prop::sample::Index, bit in 0..7_u8) {
        for case in cases().filter(|it| it.covers_body) {
            let signed = case.sign("hello world");
            let mut tampered = signed.clone();
            tampered.body[at.index(signed.body.len())] ^= 1 << bit;
            // What means the same is the same: case of hex, spelling of JSON and of forms.
            if !means_the_same(case.provider, &signed.body, &tampered.body) {
                let found = case.verify(&[case.public], &tampered, NOW);
                prop_assert!(found.is_err(), "{:?}: {}", case, String::from_utf8_lossy(&tampered.body));
            }
        }
    }

    #[test]
    fn no_bytes_make_a_provider_panic(
        body: Vec<u8>,
        headers in prop::collection::vec(("[a-z-]{1,12}", ".*"), 0..4),
        known in prop::collection::vec(".*", 12),
    ) {
        const NAMES: [&str; 12] = [
            "signature", "client-id", "request-time", "merchant", "authorization",
            "x-twilio-signature", "x-ebay-signature", "x-neon-signature",
            "x-contentful-signed-headers", "content-type", "paypal-cert-url", "wechatpay-signature",
        ];
        let known = NAMES.iter().zip(&known).map(|(name, it)| ((*name).to_owned(), it.clone()));
        let headers: Vec<_> = headers.into_iter().chain(known).collect();
        for case in cases() {
            let signed = SignedRequest {
                method: "POST".to_owned(),
                url: URL.to_owned(),
                headers: headers.clone(),
                body: body.clone(),
            };
            prop_assert!(case.verify(&[case.public], &signed, NOW).is_err());
        }
    }
}

/// Whether the change is of a kind that the provider's signature cannot see, or that changes
/// nothing.
fn means_the_same(provider: &str, one: &[u8], other: &[u8]) -> bool {
    let json = |it: &[u8]| serde_json::from_slice::<serde_json::Value>(it).ok();
    match provider {
        // Of the body these sign the fields that they name.
        "adyen" => signed_item(one).is_some() && signed_item(one) == signed_item(other),
        "aws-sns" => {
            let fields = |it: &[u8]| {
                let mut body = json(it)?;
                let fields = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
                body.as_object_mut()?.retain(|name, _| fields.contains(&name.as_str()));
                Some(body)
            };
            fields(one).is_some() && fields(one) == fields(other)
        },
        "exact-online" => one.eq_ignore_ascii_case(other),
        // The boundary between a name and its value is not signed.
        "twilio" | "mandrill" => {
            let flat = |it: &[u8]| -> String {
                form_urlencoded::parse(it).flat_map(|(name, it)| [name, it]).collect()
            };
            flat(one) == flat(other)
        },
        "braintree" => {
            let fields = |it: &[u8]| -> Vec<(String, String)> {
                let fields = form_urlencoded::parse(it).into_owned();
                fields.map(|(name, it)| (name, it.to_ascii_lowercase().trim().to_owned())).collect()
            };
            fields(one) == fields(other)
        },
        _ => false,
    }
}

fn signed_item(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let item = body.get("notificationItems")?.get(0)?.get("NotificationRequestItem")?;
    let text = |name: &str| item.get(name).map(ToString::to_string);
    let fields =
        ["pspReference", "merchantAccountCode", "merchantReference", "eventCode", "success"];
    let fields = fields.map(text).map(Option::unwrap_or_default).join(":");
    Some(format!("{fields}:{}", item.get("amount")?))
}

#[test]
fn the_acknowledgement_of_alipay_is_signed() {
    let headers: [(&str, &[u8]); 2] =
        [("client-id", b"SANDBOX"), ("request-time", b"2026-01-01T12:00:00+08:00")];
    let request = Request {
        method: "POST",
        url: "https://hooks.example.com/in/abc",
        headers: postrider::provider::Headers(&headers),
        body: b"{}",
    };
    let mut settings = Settings::default();
    let provider = find("alipay-plus").unwrap();
    let plain = postrider::provider::acknowledge(provider, &settings, &request, NOW);
    assert!(plain.headers.iter().all(|(name, _)| name != "signature"));

    settings.parameters.insert("private_key".to_owned(), Zeroizing::new(RSA.to_owned()));
    let reply = postrider::provider::acknowledge(provider, &settings, &request, NOW);
    assert_eq!(reply.status, 200);
    let time = reply.headers.iter().find(|(name, _)| name == "response-time").unwrap();
    // Alipay verifies the response as we verify its requests.
    let signed = SignedRequest {
        method: "POST".to_owned(),
        url: request.url.to_owned(),
        headers: [&reply.headers[..], &[("request-time".to_owned(), time.1.clone())]].concat(),
        body: reply.body,
    };
    assert!(receive(provider, &Settings::new([RSA_PUBLIC]), &signed, NOW).is_ok());
}
