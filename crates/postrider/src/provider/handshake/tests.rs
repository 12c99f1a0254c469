//! Every handshake: the request as it is received, and the exact reply.

use zeroize::Zeroizing;

use super::*;
use crate::provider::{Headers, Reply, UnsignedRequest, find, sign};

const NOW: u64 = 1_760_000_000;
const URL: &str = "https://hooks.example.com/in/abc";

/// A request that may be a handshake.
struct Ask {
    provider: &'static str,
    method: &'static str,
    query: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    settings: Settings,
}

fn ask(provider: &'static str, method: &'static str) -> Ask {
    let settings = Settings::new(["s3cret"]);
    Ask { provider, method, query: "", headers: Vec::new(), body: Vec::new(), settings }
}

impl Ask {
    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn body(self, body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), ..self }
    }

    fn parameter(mut self, name: &str, value: &str) -> Self {
        self.settings.parameters.insert(name.to_owned(), Zeroizing::new(value.to_owned()));
        self
    }

    fn without_secret(mut self) -> Self {
        self.settings.secrets.clear();
        self
    }

    fn received(&self) -> Result<Received, VerifyError> {
        let url = format!("{URL}{}", self.query);
        let headers: Vec<_> =
            self.headers.iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
        let request = Request {
            method: self.method,
            url: &url,
            headers: Headers(&headers),
            body: &self.body,
        };
        let provider = find(self.provider).unwrap();
        receive(provider, &self.settings, &request, NOW)
    }

    #[track_caller]
    fn gets(self, status: u16, headers: &[(&str, &str)], body: &str) {
        let received = self.received();
        let Ok(Received::Handshake(reply)) = received else { panic!("{received:?}") };
        check(&reply, status, headers, body);
    }

    #[track_caller]
    fn gets_text(self, text: &str) {
        self.gets(200, TEXT, text);
    }

    #[track_caller]
    fn gets_json(self, body: &str) {
        self.gets(200, &[("content-type", "application/json")], body);
    }

    #[track_caller]
    fn fails(self, why: &str) {
        let rejected = self.received().unwrap_err().to_string();
        assert!(rejected.contains(why), "{rejected}");
    }
}

const TEXT: &[(&str, &str)] =
    &[("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")];

#[track_caller]
fn check(reply: &Reply, status: u16, headers: &[(&str, &str)], body: &str) {
    let found: Vec<_> =
        reply.headers.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
    assert_eq!(str::from_utf8(&reply.body).unwrap(), body);
    assert_eq!((reply.status, found.as_slice()), (status, headers));
}

#[test]
fn a_challenge_in_the_query_is_returned_as_text() {
    ask("dropbox", "GET").query("?challenge=abc%20%3Cb%3E").gets_text("abc <b>");
    ask("nylas", "GET").query("?challenge=bQ7-_x").gets_text("bQ7-_x");
    ask("microsoft-graph", "POST").query("?validationToken=a%3A+b").gets_text("a: b");
    ask("sharepoint", "POST").query("?validationtoken=x1").gets_text("x1");
    ask("sharepoint", "POST").query("?validationToken=x1").gets_text("x1");
}

#[test]
fn a_challenge_is_returned_only_for_the_right_verify_token() {
    for provider in ["meta", "whatsapp"] {
        let request = |query| ask(provider, "GET").query(query).parameter("verify_token", "ours");
        request("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=ours")
            .gets_text("1158201444");
        request("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=theirs")
            .fails("query:hub.verify_token does not have the expected value");
        request("?hub.mode=subscribe&hub.challenge=1").fails("query:hub.verify_token is missing");
        request("?hub.mode=subscribe&hub.verify_token=ours")
            .fails("query:hub.challenge is missing");
        request("?hub.mode=unsubscribe").fails("method");
        ask(provider, "GET")
            .query("?hub.mode=subscribe&hub.challenge=1&hub.verify_token=")
            .fails("parameter verify_token is not configured");
    }
    let request = |query| ask("strava", "GET").query(query).parameter("verify_token", "ours");
    request("?hub.verify_token=ours&hub.challenge=15f7d1&hub.mode=subscribe")
        .gets_json(r#"{"hub.challenge":"15f7d1"}"#);
    request("?hub.verify_token=no&hub.challenge=15f7d1&hub.mode=subscribe")
        .fails("query:hub.verify_token does not have the expected value");
}

#[test]
fn a_challenge_is_signed_with_the_secret() {
    // Computed with Python's hmac and hashlib.
    ask("x-twitter", "GET")
        .query("?crc_token=NTQyZDYx")
        .gets_json(r#"{"response_token":"sha256=CjawNZw+02MZTU6Pw3LoQsGabFAD6QI7PtzQ16YVpMs="}"#);
    ask("linkedin", "GET")
        .query("?challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0")
        .gets_json(
            r#"{"challengeCode":"890e4665-4dfe-4ab1-b689-ed553bceeed0","challengeResponse":"282e84d6c3fe9e152bf838a2c9ac5fabeace9e4bcc5a62d3eb0925f22f514d62"}"#,
        );
    ask("braintree", "GET")
        .query("?bt_challenge=20f9f8ed05f77439fe955c977e4c8a53")
        .parameter("public_key", "integration_public_key")
        .gets_text("integration_public_key|60af0a44e6c361e10fc95f2b9ea89d6c09b668b0");
    ask("ebay", "GET")
        .query("?challenge_code=a8628072-3d33-45ee-9004-bee86830a22d")
        .parameter("verification_token", "71745723-d031-455c-bfa5-f90d11b4f20a")
        .gets_json(r#"{"challengeResponse":"8a7cd417687b60ab3bdbbbd41a568d7d83513c8b839db4af519605749ab44a51"}"#);
    ask("x-twitter", "GET").query("?crc_token=x").without_secret().fails("no secret");
    ask("ebay", "GET").query("?challenge_code=x").fails("verification_token is missing");
}

#[test]
fn an_attacker_cannot_have_a_chosen_body_signed() {
    for body in ["%7B%22a%22:1%7D", "a%0Ab", "hmacsha256=%7B%7D", "%22"] {
        let query: &str =
            format!("?crc_token={body}&challengeCode={body}&bt_challenge={body}").leak();
        ask("x-twitter", "GET").query(query).fails("not a plain token");
        ask("linkedin", "GET").query(query).fails("not a plain token");
        ask("braintree", "GET")
            .query(query)
            .parameter("public_key", "key")
            .fails("query:bt_challenge does not have the expected value");
    }
}

#[test]
fn a_challenge_in_a_header_is_returned() {
    ask("okta", "GET")
        .header("X-Okta-Verification-Challenge", "mXs\"q")
        .gets_json(r#"{"verification":"mXs\"q"}"#);
    ask("front", "POST")
        .header("X-Front-Challenge", "c0ffee")
        .body(r#"{"type":"sync","authorization":{"id":"cmp_1"}}"#)
        .gets_text("c0ffee");
    ask("ringcentral", "POST").header("Validation-Token", "9f8e").gets(
        200,
        &[("validation-token", "9f8e")],
        "",
    );
    ask("okta", "GET").fails("method");
}

#[test]
fn a_value_that_is_not_allowed_in_a_header_is_rejected() {
    let long = "x".repeat(5000);
    ask("ringcentral", "POST")
        .header("validation-token", "a\r\nb: c")
        .fails("not allowed in a header");
    ask("ringcentral", "POST").header("validation-token", &long).fails("longer than");
}

#[test]
fn a_challenge_in_json_is_returned() {
    ask("monday", "POST")
        .body(r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#)
        .gets_json(r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#);
    ask("tebex", "POST")
        .body(r#"{"id":"7a2c-1","type":"validation.webhook","date":"2026-01-01","subject":{}}"#)
        .gets_json(r#"{"id":"7a2c-1"}"#);
    ask("cloudevents", "POST")
        .header("aeg-event-type", "SubscriptionValidation")
        .body(r#"[{"id":"1","data":{"validationCode":"512d38b6"}}]"#)
        .gets_json(r#"{"validationResponse":"512d38b6"}"#);
}

#[test]
fn some_handshakes_only_need_a_response() {
    for (provider, method) in [
        ("trello", "HEAD"),
        ("trello", "GET"),
        ("mandrill", "HEAD"),
        ("intercom", "HEAD"),
        ("mailchimp", "GET"),
        ("mailchimp", "HEAD"),
        ("exact-online", "POST"),
    ] {
        ask(provider, method).gets(200, &[], "");
    }
    ask("woocommerce", "POST").body("webhook_id=7").gets(200, &[], "");
    ask("mandrill", "POST").body("mandrill_events=%5B%5D").gets(200, &[], "");
    ask("wise", "POST").header("X-Test-Notification", "true").body("{}").gets(200, &[], "");
}

#[test]
fn a_code_for_a_header_is_a_parameter() {
    ask("vercel-log-drains", "POST").body("[]").parameter("verification_code", "0a1b2c").gets(
        200,
        &[("x-vercel-verify", "0a1b2c")],
        "",
    );
    ask("vercel-log-drains", "POST").body("[]").fails("signature");
}

#[test]
fn an_origin_is_allowed_to_deliver() {
    let request =
        || ask("cloudevents", "OPTIONS").header("WebHook-Request-Origin", "events.example.com");
    let granted = [
        ("allow", "POST"),
        ("webhook-allowed-origin", "events.example.com"),
        ("webhook-allowed-rate", "*"),
    ];
    request().header("WebHook-Request-Rate", "120").gets(200, &granted, "");
    request().parameter("allowed_origin", "events.example.com").gets(200, &granted, "");
    request().parameter("allowed_origin", "other.example.com").fails("webhook-request-origin");
    ask("cloudevents", "OPTIONS").fails("method");
}

#[test]
fn a_handed_over_secret_is_accepted_once() {
    for (request, secret, headers) in [
        (
            ask("asana", "POST").header("X-Hook-Secret", "b537207f"),
            "b537207f",
            &[("x-hook-secret", "b537207f")][..],
        ),
        (ask("notion", "POST").body(r#"{"verification_token":"secret_tMrl"}"#), "secret_tMrl", &[]),
    ] {
        let mut request = request.without_secret();
        let Ok(Received::Secret { secret: found, reply }) = request.received() else { panic!() };
        assert_eq!(found.as_str(), secret);
        check(&reply, 200, headers, "");

        request.settings = Settings::new(["another", secret]);
        let Ok(Received::Handshake(reply)) = request.received() else { panic!() };
        check(&reply, 200, headers, "");

        request.settings = Settings::new(["another"]);
        request.fails("the source has another secret already");
    }
    ask("asana", "POST").header("x-hook-secret", "").without_secret().fails("is empty");
}

#[test]
fn events_are_accepted_only_by_post() {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"] {
        ask("stripe", method).fails("the method is neither used for events nor for a handshake");
    }
}

/// A question that the provider signs.
fn signed(provider: &'static str, body: &str) -> Ask {
    signed_as(provider, body, "s3cret", "s3cret")
}

fn signed_as(provider: &'static str, body: &str, private: &str, public: &str) -> Ask {
    let draft =
        UnsignedRequest { url: URL.to_owned(), body: body.into(), ..UnsignedRequest::default() };
    let request = sign(find(provider).unwrap(), &Settings::new([private]), draft, NOW).unwrap();
    let settings = Settings::new([public]);
    Ask { headers: request.headers, body: request.body, settings, ..ask(provider, "POST") }
}

impl Ask {
    /// The same handshake with another signer and without a signature.
    #[track_caller]
    fn checked_for_forgery(self) -> Self {
        let settings = Settings::new(["an0ther"]);
        let forged =
            Self { settings, headers: self.headers.clone(), body: self.body.clone(), ..self };
        assert!(forged.received().is_err());
        let unsigned = ask(self.provider, "POST");
        let unsigned = Self { body: self.body.clone(), ..unsigned };
        assert!(unsigned.received().is_err());
        self
    }
}

#[test]
fn a_signed_handshake_is_verified_first() {
    let challenge = r#"{"token":"t","challenge":"3eZbrw1a","type":"url_verification"}"#;
    signed("slack", challenge).checked_for_forgery().gets_json(r#"{"challenge":"3eZbrw1a"}"#);

    let challenge = r#"{"challenge":"pogchamp-kappa","subscription":{"type":"stream.online"}}"#;
    signed("twitch", challenge)
        .header("Twitch-Eventsub-Message-Type", "webhook_callback_verification")
        .checked_for_forgery()
        .gets_text("pogchamp-kappa");

    let challenge =
        r#"{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event":"endpoint.url_validation"}"#;
    signed("zoom", challenge).checked_for_forgery().gets_json(
        r#"{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"f54f2d5fee8f181aab8371bada7fed9bb675eae464f18ed4fb91715244b58ef4"}"#,
    );
    signed("zoom", &challenge.replace("qgg8", "v0:1:{}")).fails("not a plain token");

    for (provider, body) in [
        ("line", r#"{"destination":"U1","events":[]}"#),
        ("xero", r#"{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0"}"#),
        ("terraform-cloud", r#"{"notifications":[{"trigger":"verification"}]}"#),
    ] {
        signed(provider, body).checked_for_forgery().gets(200, &[], "");
    }
    signed("google-channels", "")
        .header("X-Goog-Resource-State", "sync")
        .checked_for_forgery()
        .gets(200, &[], "");
}

#[test]
fn discord_has_two_handshakes() {
    let private = include_str!("../../../tests/keys/ed25519.pem");
    let public = include_str!("../../../tests/keys/ed25519.pub");
    let request = |body| signed_as("discord", body, private, public);
    let interaction = r#"{"application_id":"1","id":"2","token":"t","type":1,"version":1}"#;
    request(interaction).gets_json(r#"{"type":1}"#);
    request(r#"{"version":1,"application_id":"1","type":0}"#).gets(204, &[], "");
    let event = request(r#"{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED"}}"#);
    assert!(matches!(event.received(), Ok(Received::Event(_))));

    let mut forged = request(interaction);
    forged.body = interaction.replace("\"2\"", "\"3\"").into_bytes();
    forged.fails("no signature matches");
}

#[test]
fn a_ping_is_an_event() {
    let ping = signed("github", r#"{"zen":"Design for failure.","hook_id":1}"#)
        .header("x-github-event", "ping");
    let received = ping.received();
    assert!(
        matches!(&received, Ok(Received::Event(it)) if it.event_type.as_deref() == Some("ping")),
        "{received:?}"
    );
}

#[test]
fn no_reply_contains_a_secret_parameter() {
    for provider in crate::provider::all() {
        for handshake in &provider.model.handshakes {
            let reply = serde_json::to_string(&handshake.reply).unwrap();
            for secret in ["verification_token", "verify_token", "private_key", "client_secret"] {
                assert!(!reply.contains(&format!("{{parameter:{secret}}}")), "{}", provider.id);
            }
        }
    }
}

#[test]
fn a_subscription_is_confirmed_if_it_is_signed_and_names_a_host_of_the_provider() {
    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:orders";
    let request = |url: &str| {
        let body = serde_json::json!({
            "Type": "SubscriptionConfirmation",
            "Message": "Confirm.",
            "SubscribeURL": url,
            "Token": "t0ken",
        });
        let mut settings = Settings::new([TOPIC]);
        for (name, value) in [
            ("private_key", include_str!("../../../tests/keys/rsa.pem")),
            ("certificate", include_str!("../../../tests/keys/sns.crt")),
        ] {
            settings.parameters.insert(name.to_owned(), Zeroizing::new(value.to_owned()));
        }
        let body = body.to_string().into_bytes();
        let draft = UnsignedRequest { url: URL.to_owned(), body, ..UnsignedRequest::default() };
        let signed = sign(find("aws-sns").unwrap(), &settings, draft, NOW).unwrap();
        Ask { headers: signed.headers, body: signed.body, settings, ..ask("aws-sns", "POST") }
    };
    let wanted = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t0ken";
    let confirmed = request(wanted).received();
    let Ok(Received::Confirm { url, reply }) = confirmed else { panic!("{confirmed:?}") };
    assert_eq!(url, wanted);
    check(&reply, 200, &[], "");

    let mut forged = request(wanted);
    forged.body = String::from_utf8(forged.body).unwrap().replace("t0ken", "t0kem").into_bytes();
    forged.fails("no signature matches");

    for url in [
        "http://sns.us-east-1.amazonaws.com/",
        "https://sns.us-east-1.amazonaws.com:8443/",
        "https://sns.us-east-1.amazonaws.com@evil.example/",
        "https://sns.us-east-1.amazonaws.com\\@evil.example/",
        "https://sns.us-east-1.amazonaws.com.evil.example/",
        "https://evil.example/sns.us-east-1.amazonaws.com/",
        "https://s3.us-east-1.amazonaws.com/",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "",
    ] {
        request(url).fails("handshake: ");
    }
}

#[test]
fn handshakes_of_custom_models_are_validated() {
    let model = |rest: &str| {
        crate::provider::Model::from_json(&format!(
            r#"{{ "verify": [{{ "scheme": "basic" }}], {rest} }}"#
        ))
        .map_err(|it| it.to_string())
    };
    let handshake = |it: &str| model(&format!(r#""handshakes": [{it}]"#));
    let error = |it: &str| handshake(it).unwrap_err();
    let whole = r#"{ "methods": ["GET"], "when": [{ "at": "query:c" }], "reply": { "text": "{query:c}" } }"#;
    assert!(handshake(whole).is_ok());
    assert!(error("{}").contains("`when` is empty"));
    assert!(error(r#"{ "methods": ["get"] }"#).contains("methods must be GET"));
    assert!(error(r#"{ "methods": ["GET"], "replies": {} }"#).contains("unknown field `replies`"));
    assert!(
        error(r#"{ "methods": ["GET"], "when": [{ "at": "challenge" }] }"#)
            .contains("`challenge` is not a location")
    );
    assert!(
        error(r#"{ "methods": ["GET"], "reply": { "text": "{challenge}" } }"#)
            .contains("`challenge` is not a location")
    );
    let unsigned =
        r#"{ "when": [{ "at": "json:u" }], "confirm": { "url": "json:u", "hosts": ["a.b"] } }"#;
    assert!(error(unsigned).contains("must be signed"));
    assert!(model(r#""refusal": { "status": 200 }"#).unwrap_err().contains("use 4xx"));
    let moved = r#""acknowledgements": [{ "reply": { "status": 301 } }]"#;
    assert!(model(moved).unwrap_err().contains("use 2xx"));
}

#[test]
fn handshakes_survive_serialization() {
    for provider in crate::provider::all() {
        provider.model.validate().unwrap();
        let json = serde_json::to_string(&provider.model.handshakes).unwrap();
        let again: Vec<Handshake> = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), json, "{}", provider.id);
    }
}
