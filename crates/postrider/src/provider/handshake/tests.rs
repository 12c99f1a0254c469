//! Every provider's handshake: the request as it comes, and the exact answer.

use super::*;
use crate::provider::Headers;

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

    fn received(&self) -> Result<Received, Rejected> {
        let url = format!("{URL}{}", self.query);
        let headers: Vec<_> =
            self.headers.iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
        let request = Request {
            method: self.method,
            url: &url,
            headers: Headers(&headers),
            body: &self.body,
        };
        let provider = crate::provider::find(self.provider).unwrap();
        receive(provider, &self.settings, &request, NOW)
    }

    #[track_caller]
    fn is_answered(self, status: u16, headers: &[(&str, &str)], body: &str) {
        let received = self.received();
        let Ok(Received::Handshake(reply)) = received else { panic!("{received:?}") };
        check(&reply, status, headers, body);
    }

    #[track_caller]
    fn echoes(self, text: &str) {
        self.is_answered(200, TEXT, text);
    }

    #[track_caller]
    fn is_answered_json(self, body: &str) {
        self.is_answered(200, &[("content-type", "application/json")], body);
    }

    #[track_caller]
    fn is_refused(self, why: &str) {
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
fn a_challenge_in_the_query_comes_back_as_text() {
    ask("dropbox", "GET").query("?challenge=abc%20%3Cb%3E").echoes("abc <b>");
    ask("nylas", "GET").query("?challenge=bQ7-_x").echoes("bQ7-_x");
    ask("microsoft-graph", "POST").query("?validationToken=a%3A+b").echoes("a: b");
    ask("sharepoint", "POST").query("?validationtoken=x1").echoes("x1");
    ask("sharepoint", "POST").query("?validationToken=x1").echoes("x1");
}

#[test]
fn a_challenge_with_a_verify_token_comes_back_only_to_who_knows_it() {
    for provider in ["meta", "whatsapp"] {
        let asked = |query| ask(provider, "GET").query(query).parameter("verify_token", "ours");
        asked("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=ours")
            .echoes("1158201444");
        asked("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=theirs")
            .is_refused("query:hub.verify_token is not what it should be");
        asked("?hub.mode=subscribe&hub.challenge=1")
            .is_refused("query:hub.verify_token is missing");
        asked("?hub.mode=subscribe&hub.verify_token=ours")
            .is_refused("query:hub.challenge is missing");
        asked("?hub.mode=unsubscribe").is_refused("method");
        ask(provider, "GET")
            .query("?hub.mode=subscribe&hub.challenge=1&hub.verify_token=")
            .is_refused("parameter verify_token is not configured");
    }
    let asked = |query| ask("strava", "GET").query(query).parameter("verify_token", "ours");
    asked("?hub.verify_token=ours&hub.challenge=15f7d1&hub.mode=subscribe")
        .is_answered_json(r#"{"hub.challenge":"15f7d1"}"#);
    asked("?hub.verify_token=no&hub.challenge=15f7d1&hub.mode=subscribe")
        .is_refused("query:hub.verify_token is not what it should be");
}

#[test]
fn a_challenge_is_authenticated_with_the_secret() {
    // Computed with Python's hmac and hashlib.
    ask("x-twitter", "GET").query("?crc_token=NTQyZDYx").is_answered_json(
        r#"{"response_token":"sha256=CjawNZw+02MZTU6Pw3LoQsGabFAD6QI7PtzQ16YVpMs="}"#,
    );
    ask("linkedin", "GET")
        .query("?challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0")
        .is_answered_json(
            r#"{"challengeCode":"890e4665-4dfe-4ab1-b689-ed553bceeed0","challengeResponse":"282e84d6c3fe9e152bf838a2c9ac5fabeace9e4bcc5a62d3eb0925f22f514d62"}"#,
        );
    ask("braintree", "GET")
        .query("?bt_challenge=20f9f8ed05f77439fe955c977e4c8a53")
        .parameter("public_key", "integration_public_key")
        .echoes("integration_public_key|60af0a44e6c361e10fc95f2b9ea89d6c09b668b0");
    ask("ebay", "GET")
        .query("?challenge_code=a8628072-3d33-45ee-9004-bee86830a22d")
        .parameter("verification_token", "71745723-d031-455c-bfa5-f90d11b4f20a")
        .is_answered_json(r#"{"challengeResponse":"8a7cd417687b60ab3bdbbbd41a568d7d83513c8b839db4af519605749ab44a51"}"#);
    ask("x-twitter", "GET").query("?crc_token=x").without_secret().is_refused("no secret");
    ask("ebay", "GET").query("?challenge_code=x").is_refused("verification_token is missing");
}

#[test]
fn nobody_gets_a_body_of_their_choice_authenticated() {
    for body in ["%7B%22a%22:1%7D", "a%0Ab", "hmacsha256=%7B%7D", "%22"] {
        let query: &str =
            format!("?crc_token={body}&challengeCode={body}&bt_challenge={body}").leak();
        ask("x-twitter", "GET").query(query).is_refused("not a plain token");
        ask("linkedin", "GET").query(query).is_refused("not a plain token");
        ask("braintree", "GET")
            .query(query)
            .parameter("public_key", "key")
            .is_refused("query:bt_challenge is not what it should be");
    }
}

#[test]
fn a_challenge_in_a_header_comes_back() {
    ask("okta", "GET")
        .header("X-Okta-Verification-Challenge", "mXs\"q")
        .is_answered_json(r#"{"verification":"mXs\"q"}"#);
    ask("front", "POST")
        .header("X-Front-Challenge", "c0ffee")
        .body(r#"{"type":"sync","authorization":{"id":"cmp_1"}}"#)
        .echoes("c0ffee");
    ask("ringcentral", "POST").header("Validation-Token", "9f8e").is_answered(
        200,
        &[("validation-token", "9f8e")],
        "",
    );
    ask("okta", "GET").is_refused("method");
}

#[test]
fn what_cannot_stand_in_a_header_is_refused() {
    let long = "x".repeat(5000);
    ask("ringcentral", "POST").header("validation-token", "a\r\nb: c").is_refused("cannot be put");
    ask("ringcentral", "POST").header("validation-token", &long).is_refused("longer than");
}

#[test]
fn a_challenge_in_json_comes_back() {
    ask("monday", "POST")
        .body(r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#)
        .is_answered_json(
            r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#,
        );
    ask("tebex", "POST")
        .body(r#"{"id":"7a2c-1","type":"validation.webhook","date":"2026-01-01","subject":{}}"#)
        .is_answered_json(r#"{"id":"7a2c-1"}"#);
    ask("cloudevents", "POST")
        .header("aeg-event-type", "SubscriptionValidation")
        .body(r#"[{"id":"1","data":{"validationCode":"512d38b6"}}]"#)
        .is_answered_json(r#"{"validationResponse":"512d38b6"}"#);
}

#[test]
fn some_only_want_to_be_answered() {
    for (provider, method) in [
        ("trello", "HEAD"),
        ("trello", "GET"),
        ("mandrill", "HEAD"),
        ("intercom", "HEAD"),
        ("mailchimp", "GET"),
        ("mailchimp", "HEAD"),
        ("exact-online", "POST"),
    ] {
        ask(provider, method).is_answered(200, &[], "");
    }
    ask("woocommerce", "POST").body("webhook_id=7").is_answered(200, &[], "");
    ask("mandrill", "POST").body("mandrill_events=%5B%5D").is_answered(200, &[], "");
    ask("wise", "POST").header("X-Test-Notification", "true").body("{}").is_answered(200, &[], "");
}

#[test]
fn a_code_for_a_header_is_a_parameter() {
    ask("vercel-log-drains", "POST")
        .body("[]")
        .parameter("verification_code", "0a1b2c")
        .is_answered(200, &[("x-vercel-verify", "0a1b2c")], "");
    ask("vercel-log-drains", "POST").body("[]").is_refused("signature");
}

#[test]
fn an_origin_is_allowed_to_deliver() {
    let asked =
        || ask("cloudevents", "OPTIONS").header("WebHook-Request-Origin", "events.example.com");
    let granted = [
        ("allow", "POST"),
        ("webhook-allowed-origin", "events.example.com"),
        ("webhook-allowed-rate", "*"),
    ];
    asked().header("WebHook-Request-Rate", "120").is_answered(200, &granted, "");
    asked().parameter("allowed_origin", "events.example.com").is_answered(200, &granted, "");
    asked().parameter("allowed_origin", "other.example.com").is_refused("webhook-request-origin");
    ask("cloudevents", "OPTIONS").is_refused("method");
}

#[test]
fn a_secret_is_taken_over_once() {
    for (asked, secret, headers) in [
        (
            ask("asana", "POST").header("X-Hook-Secret", "b537207f"),
            "b537207f",
            &[("x-hook-secret", "b537207f")][..],
        ),
        (ask("notion", "POST").body(r#"{"verification_token":"secret_tMrl"}"#), "secret_tMrl", &[]),
    ] {
        let mut asked = asked.without_secret();
        let Ok(Received::Secret { secret: found, reply }) = asked.received() else { panic!() };
        assert_eq!(found.as_str(), secret);
        check(&reply, 200, headers, "");

        asked.settings = Settings::new(["another", secret]);
        let Ok(Received::Handshake(reply)) = asked.received() else { panic!() };
        check(&reply, 200, headers, "");

        asked.settings = Settings::new(["another"]);
        asked.is_refused("another secret is configured already");
    }
    ask("asana", "POST").header("x-hook-secret", "").without_secret().is_refused("is empty");
}

#[test]
fn events_come_by_post_alone() {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"] {
        ask("stripe", method).is_refused("no event and no handshake comes by this method");
    }
}
