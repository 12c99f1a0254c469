//! Chooses the response to an event or to a rejected request.

use super::{
    Provider, Reply, Request, Settings, code,
    handshake::{self, Acknowledgement, RequestContext},
    json,
};

/// The response that the provider expects once its webhook is durable; an empty 200 by default.
pub fn acknowledge(
    provider: &Provider,
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Reply {
    if let Some(reply) = code::acknowledge(&provider.model.verify, settings, request, now_seconds) {
        return reply;
    }
    let context = RequestContext::new(settings, request);
    let fitting = |it: &&Acknowledgement| it.when.iter().all(|it| it.holds(&context).is_ok());
    let found = provider.model.acknowledgements.iter().find(fitting);
    found
        .and_then(|it| it.reply.render(&context).ok())
        .unwrap_or(Reply { status: 200, ..Reply::default() })
}

/// Fills in a custom response: placeholders such as `{json:data.id}` in its headers and body are
/// replaced by values of the request, escaped if the response is JSON. All other text stays
/// unchanged.
pub fn render_reply(written: Reply, settings: &Settings, request: &Request<'_>) -> Reply {
    let context = RequestContext::new(settings, request).with_large_body();
    let plain = |text: &str| handshake::fill_placeholders(text, &context, str::to_owned);
    let headers: Vec<_> =
        written.headers.into_iter().map(|(name, value)| (name, plain(&value))).collect();
    let is_json = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("content-type") && value.contains("json")
    };
    let body = match String::from_utf8(written.body) {
        Ok(text) if headers.iter().any(is_json) => {
            handshake::fill_placeholders(&text, &context, json::escaped).into_bytes()
        },
        Ok(text) => plain(&text).into_bytes(),
        Err(error) => error.into_bytes(),
    };
    Reply { status: written.status, headers, body }
}

/// Counts the placeholders in a custom response.
pub fn placeholder_count(written: &Reply) -> usize {
    let body = std::str::from_utf8(&written.body).unwrap_or_default();
    let headers = written.headers.iter().map(|(_, value)| value.as_str());
    headers.chain([body]).map(handshake::count_placeholders).sum()
}

/// The response to a rejected request, which is the same for every reason.
pub fn reject(provider: &Provider) -> Reply {
    Reply { status: provider.model.refusal.status, ..Reply::default() }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Headers, all, find, verify},
        *,
    };

    const TEXT: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
    const NOSNIFF: (&str, &str) = ("x-content-type-options", "nosniff");
    const JSON: (&str, &str) = ("content-type", "application/json");
    const XML: (&str, &str) = ("content-type", "text/xml; charset=utf-8");

    fn acknowledged(provider: &str, body: &str) -> Reply {
        let request = Request {
            method: "POST",
            url: "https://hooks.example.com/in/abc",
            headers: Headers(&[]),
            body: body.as_bytes(),
        };
        acknowledge(find(provider).unwrap(), &Settings::default(), &request, 1_760_000_000)
    }

    #[track_caller]
    fn check(provider: &str, event: &str, status: u16, headers: &[(&str, &str)], body: &str) {
        let reply = acknowledged(provider, event);
        let found: Vec<_> =
            reply.headers.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
        assert_eq!(str::from_utf8(&reply.body).unwrap(), body);
        assert_eq!((reply.status, found.as_slice()), (status, headers), "{provider}");
    }

    #[test]
    fn events_are_acknowledged_as_the_provider_expects() {
        check("adyen", "{}", 200, &[TEXT, NOSNIFF], "[accepted]");
        check("adyen-platform", "{}", 200, &[TEXT, NOSNIFF], "[accepted]");
        check("dropbox-sign", "", 200, &[TEXT, NOSNIFF], "Hello API Event Received");
        check("wechat-pay", "{}", 200, &[JSON], r#"{"code":"SUCCESS","message":"OK"}"#);
        check("twilio", "MessageSid=SM1", 200, &[XML], "<Response/>");
        check("microsoft-graph", r#"{"value":[]}"#, 202, &[], "");
        check("cloudevents", "{}", 202, &[], "");
        let result =
            r#"{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}"#;
        check("alipay-plus", "{}", 200, &[JSON], result);
        check("airtable", "{}", 200, &[], "");
        check("stripe", "{}", 200, &[], "");
        let reply = acknowledged("salesforce", "<xml/>");
        assert!(String::from_utf8(reply.body).unwrap().contains("<Ack>true</Ack>"));
        assert_eq!(reply.headers, [XML].map(|(name, it)| (name.to_owned(), it.to_owned())));
    }

    #[test]
    fn alipay_gets_a_signed_acknowledgement() {
        let key = include_str!("../../tests/keys/rsa.pem");
        let mut settings = Settings::new([include_str!("../../tests/keys/rsa.pub")]);
        settings.parameters.insert("private_key".to_owned(), key.to_owned().into());
        settings.parameters.insert("client_id".to_owned(), "CLIENT".to_owned().into());
        let provider = find("alipay-plus").unwrap();
        let url = "https://hooks.example.com/in/abc";
        let request = Request { method: "POST", url, headers: Headers(&[]), body: b"{}" };
        let reply = acknowledge(provider, &settings, &request, 1_760_000_000);
        assert_eq!(reply.status, 200);

        // Our signature is the same as theirs except for the name of one header.
        let headers: Vec<_> = reply
            .headers
            .iter()
            .map(|(name, it)| {
                (
                    name.strip_prefix("response-time").map_or(name.as_str(), |_| "request-time"),
                    it.as_bytes(),
                )
            })
            .collect();
        let response = Request { headers: Headers(&headers), body: &reply.body, ..request };
        assert!(verify(provider, &settings, &response, 1_760_000_000).is_ok());
    }

    #[test]
    fn a_custom_response_contains_values_of_the_request() {
        let filled = |content_type: &str, body: &str| {
            let request = Request {
                method: "POST",
                url: "https://hooks.example.com/in/abc?q=1",
                headers: Headers(&[]),
                body: br#"{"id":"a\"b","n":7}"#,
            };
            let headers = vec![("content-type".to_owned(), content_type.to_owned())];
            let written = Reply { status: 200, headers, body: body.into() };
            let mut settings = Settings::default();
            settings.parameters.insert("key".to_owned(), "s3cret".to_owned().into());
            String::from_utf8(render_reply(written, &settings, &request).body).unwrap()
        };
        assert_eq!(
            filled("application/json", r#"{"ok":true,"id":"{json:id}","n":{json:n},"q":{"a":1}}"#),
            r#"{"ok":true,"id":"a\"b","n":7,"q":{"a":1}}"#
        );
        assert_eq!(filled("text/plain", "{json:id} {query:q}{json:none}{"), "a\"b 1{");
        assert_eq!(filled("text/plain", "{parameter:key} {digest}"), "{parameter:key} {digest}");
    }

    #[test]
    fn discord_gets_a_response_for_each_kind_of_interaction() {
        check("discord", r#"{"type":1,"event":{"type":"X"}}"#, 204, &[], "");
        check("discord", r#"{"type":2}"#, 200, &[JSON], r#"{"type":5}"#);
        check("discord", r#"{"type":3}"#, 200, &[JSON], r#"{"type":6}"#);
        check("discord", r#"{"type":4}"#, 200, &[JSON], r#"{"type":8,"data":{"choices":[]}}"#);
        check("discord", r#"{"type":5}"#, 200, &[JSON], r#"{"type":5}"#);
    }

    #[test]
    fn every_provider_gets_success_for_an_event_and_a_client_error_for_a_forgery() {
        for provider in all() {
            let status = acknowledged(&provider.id, "{}").status;
            assert!((200..300).contains(&status), "{}", provider.id);
            let expected = if provider.id == "gocardless" { 498 } else { 401 };
            let refused = Reply { status: expected, ..Reply::default() };
            assert_eq!(reject(provider), refused, "{}", provider.id);
        }
    }
}
