//! Sample events: every one can be sent as its provider would, and is found again.

use postrider::provider::{
    Headers, Provider, Received, Request, Settings, SignedRequest, VerifyError, all, receive,
    sample, sign,
};

use super::round_trip::secrets;

const NOW: u64 = 1_760_000_000;

/// Events without an id: repetitions are not recognized by one.
const WITHOUT_ID: [&str; 17] = [
    "discord APPLICATION_AUTHORIZED",
    "discord ENTITLEMENT_CREATE",
    "dropbox webhook",
    "grafana",
    "huggingface",
    "merge",
    "nango",
    "plaid",
    "port-io",
    "salesforce webhook",
    "sharepoint webhook",
    "slack block_actions",
    "statsig",
    "tailscale",
    "vapi",
    "webflow",
    "wise",
];

/// Samples of questions.
const HANDSHAKES: [&str; 3] =
    ["aws-sns SubscriptionConfirmation", "slack url_verification", "zoom endpoint.url_validation"];

/// What signs and what verifies.
fn settings(provider: &Provider) -> (Settings, Settings) {
    let key = |name: &str, of| (key(name, of), key(name, "pub"));
    let (private, public) = match provider.id.as_str() {
        "adyen" => (
            "00112233445566778899aabbccddeeff".to_owned(),
            "00112233445566778899aabbccddeeff".to_owned(),
        ),
        "alipay-plus" | "google-pubsub" | "wechat-pay" | "wix" => key("rsa", "pem"),
        "ebay" | "plaid" => key("p256", "pem"),
        "neon-auth" => key("ed25519", "pem"),
        _ => provider.model.verify.first().and_then(secrets).map_or_else(
            || ("s3cret".to_owned(), "s3cret".to_owned()),
            |(private, public, _)| (private, public),
        ),
    };
    let mut settings = [private, public].map(|it| Settings::new([it]));
    let parameters = [
        ("private_key", key("rsa", "pem").0),
        ("certificate", self::key(if provider.id == "paypal" { "paypal" } else { "sns" }, "crt")),
        ("public_key", "key_1".to_owned()),
        ("email", "push@example.iam.gserviceaccount.com".to_owned()),
    ];
    for settings in &mut settings {
        settings.accept_unsigned = !provider.is_signed();
        let parameters = parameters.clone().map(|(name, it)| (name.to_owned(), it.into()));
        settings.parameters.extend(parameters);
    }
    settings.into()
}

fn key(name: &str, of: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys");
    std::fs::read_to_string(format!("{folder}/{name}.{of}")).unwrap()
}

fn received(
    provider: &Provider,
    settings: &Settings,
    signed: &SignedRequest,
) -> Result<Received, VerifyError> {
    let headers: Vec<_> =
        signed.headers.iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
    let request = Request {
        method: &signed.method,
        url: &signed.url,
        headers: Headers(&headers),
        body: &signed.body,
    };
    receive(provider, settings, &request, NOW)
}

/// What is wrong with the sample.
fn fault(provider: &Provider, event: &str) -> Option<String> {
    let name = format!("{} {event}", provider.id);
    let (signing, verifying) = settings(provider);
    let mut draft = sample::event(provider, Some(event), 42, NOW)?;
    "https://example.test/in/abc".clone_into(&mut draft.url);
    let id = draft.event_id.clone();
    let signed = match sign(provider, &signing, draft, NOW) {
        Ok(signed) => signed,
        Err(error) => return Some(error.to_string()),
    };
    let verified = match received(provider, &verifying, &signed) {
        Ok(Received::Event(verified)) => verified,
        Ok(_) if HANDSHAKES.contains(&name.as_str()) => return None,
        Ok(other) => return Some(format!("is {other:?}")),
        Err(reason) => return Some(reason.to_string()),
    };
    let has_no_id = WITHOUT_ID.iter().any(|it| name.starts_with(it));
    if verified.event_id.is_none() != has_no_id || (id.is_some() && verified.event_id != id) {
        return Some(format!("has the id {:?}", verified.event_id));
    }
    let found = verified.event_type.unwrap_or_else(|| "webhook".to_owned());
    (found != event).then(|| format!("is {found}"))
}

#[test]
fn every_sample_of_every_provider_verifies() {
    let mut faults = Vec::new();
    for provider in all() {
        let events = sample::event_types(provider);
        assert!(!events.is_empty(), "{} has no sample", provider.id);
        let fault = |event| Some(format!("{} {event} {}", provider.id, fault(provider, event)?));
        faults.extend(events.into_iter().filter_map(fault));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
