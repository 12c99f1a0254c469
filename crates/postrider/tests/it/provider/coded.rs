//! The providers that take code, against requests that they or their libraries published.

use postrider::provider::{
    FetchedKey, Settings, SignedRequest, UnsignedRequest, Verified, VerifyError,
    decrypt_wechat_pay, find, sign,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::receive;

const NOW: u64 = 1_767_225_601;

fn request(url: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> SignedRequest {
    SignedRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: headers.iter().map(|(name, it)| ((*name).into(), (*it).into())).collect(),
        body: body.into(),
    }
}

#[track_caller]
fn accepted(provider: &str, settings: &Settings, signed: &SignedRequest, now: u64) -> Verified {
    let verified = receive(find(provider).unwrap(), settings, signed, now);
    verified.unwrap_or_else(|it| panic!("{provider}: {it}"))
}

#[track_caller]
fn rejected(provider: &str, settings: &Settings, signed: &SignedRequest, now: u64) -> VerifyError {
    receive(find(provider).unwrap(), settings, signed, now).unwrap_err()
}

/// The request verifies, among other secrets too, and not with another secret alone.
#[track_caller]
fn check(provider: &str, secret: &str, signed: &SignedRequest, now: u64) -> Verified {
    let other = secret.chars().rev().collect::<String>();
    let both = Settings::new([other.as_str(), secret]);
    assert_eq!(accepted(provider, &both, signed, now).secret, Some(1));
    assert_eq!(rejected(provider, &Settings::new([other]), signed, now), VerifyError::Signature);
    assert_eq!(rejected(provider, &Settings::default(), signed, now), VerifyError::NoSecret);
    accepted(provider, &Settings::new([secret]), signed, now)
}

fn with(mut settings: Settings, parameters: &[(&str, &str)]) -> Settings {
    let owned = |(name, it): &(&str, &str)| ((*name).to_owned(), Zeroizing::new((*it).to_owned()));
    settings.parameters.extend(parameters.iter().map(owned));
    settings
}

const TWILIO_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const TWILIO_FORM: &str = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309\
                           &To=%2B18005551212&Caller=%2B14158675309";

#[test]
fn forms_of_twilio_verify_with_a_port_and_without() {
    let http = TWILIO_URL.replace("https", "http");
    for (url, signature) in [
        (TWILIO_URL.to_owned(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TWILIO_URL.replace(".com", ".com:1234"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TWILIO_URL.to_owned(), "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (TWILIO_URL.replace(".com", ".com:443"), "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (http.clone(), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (http.replace(".com", ".com:80"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (http.replace(".com", ".com:1234"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ] {
        let signed = request(&url, &[("X-Twilio-Signature", signature)], TWILIO_FORM);
        check("twilio", "12345", &signed, NOW);
        for body in
            [TWILIO_FORM.replace("1234", "1235"), format!("{TWILIO_FORM}&A=B"), String::new()]
        {
            let tampered = SignedRequest { body: body.into(), ..signed.clone() };
            rejected("twilio", &Settings::new(["12345"]), &tampered, NOW);
        }
        let elsewhere = SignedRequest { url: url.replace("bar=2", "bar=3"), ..signed };
        rejected("twilio", &Settings::new(["12345"]), &elsewhere, NOW);
    }
}

#[test]
fn repeated_fields_of_twilio_are_sorted_and_count_once() {
    let headers = [("x-twilio-signature", "IK+Dwps556ElfBT0I3Rgjkr1wJU=")];
    for form in [
        "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234",
        "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
    ] {
        check("twilio", "12345", &request(TWILIO_URL, &headers, form), NOW);
    }
}

#[test]
fn json_of_twilio_is_covered_by_the_hash_in_the_url() {
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let url = format!("{TWILIO_URL}&bodySHA256={hash}");
    let headers = [
        ("x-twilio-signature", "a9nBmqA0ju/hNViExpshrM61xv4="),
        ("content-type", "application/json"),
    ];
    let signed = request(&url, &headers, r#"{"property": "value", "boolean": true}"#);
    check("twilio", "12345", &signed, NOW);
    let settings = Settings::new(["12345"]);
    let tampered = SignedRequest {
        body: br#"{"property": "other", "boolean": true}"#.to_vec(),
        ..signed.clone()
    };
    assert_eq!(rejected("twilio", &settings, &tampered, NOW), VerifyError::Signature);
    let elsewhere = SignedRequest { url: url.replace("bar=2", "bar=3"), ..signed };
    assert_eq!(rejected("twilio", &settings, &elsewhere, NOW), VerifyError::Signature);
}

fn adyen(items: &[Value]) -> SignedRequest {
    let items: Vec<_> = items.iter().map(|it| json!({ "NotificationRequestItem": it })).collect();
    let body = json!({ "live": "false", "notificationItems": items }).to_string();
    request("https://example.test/in/a", &[], body)
}

fn adyen_item(reference: &str, psp_reference: &str, signature: &str) -> Value {
    json!({
        "additionalData": { "hmacSignature": signature },
        "amount": { "currency": "EUR", "value": 1000 },
        "eventCode": "AUTHORISATION",
        "merchantAccountCode": "AntoniStroinski",
        "merchantReference": reference,
        "pspReference": psp_reference,
        "success": "true",
    })
}

#[test]
fn items_of_adyen_verify() {
    const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    const OTHER: &str = "74F490DD33F7327BAECC88B2947C011FC02D014A473AAA33A8EC93E4DC069174";
    let first = json!({
        "pspReference": "7914073381342284",
        "merchantReference": "TestPayment-1407325143704",
        "merchantAccountCode": "TestMerchant",
        "amount": { "currency": "EUR", "value": 1130 },
        "eventCode": "AUTHORISATION",
        "success": "true",
        "additionalData": { "hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=" },
    });
    let verified = check("adyen", KEY, &adyen(std::slice::from_ref(&first)), NOW);
    assert_eq!(verified.event_type.unwrap(), "AUTHORISATION");
    assert_eq!(verified.event_id.unwrap(), "AUTHORISATION:7914073381342284");

    let backslash = adyen_item(
        "\\\\slashes are fun",
        "T7FD4VM4D3RZNN82",
        "nIgT81gaB5oJpn2jPXupDq68iRo2wUlBsuYjtYfwKqo=",
    );
    let colon = adyen_item(
        ":slashes are fun",
        "M8NB66SBZSGLNK82",
        "2EQYm7YJpKO4EtHSPu55SQTyWf8dkW5u2nD1tJFpViA=",
    );
    let verified = check("adyen", OTHER, &adyen(&[backslash.clone(), colon]), NOW);
    let ids = "AUTHORISATION:T7FD4VM4D3RZNN82,AUTHORISATION:M8NB66SBZSGLNK82";
    assert_eq!(verified.event_id.unwrap(), ids);

    // One item that is not genuine spoils the batch.
    let mixed = adyen(&[first, backslash.clone()]);
    assert_eq!(rejected("adyen", &Settings::new([KEY]), &mixed, NOW), VerifyError::Signature);
    let mut unsigned = backslash;
    unsigned["additionalData"] = json!({});
    let missing = rejected("adyen", &Settings::new([OTHER]), &adyen(&[unsigned]), NOW);
    assert!(matches!(missing, VerifyError::Missing(_)));
    assert!(matches!(
        rejected("adyen", &Settings::new([OTHER]), &adyen(&[]), NOW),
        VerifyError::Malformed(_)
    ));
}

#[test]
fn events_of_dropbox_sign_verify_in_every_form() {
    const KEY: &str = "324e3b0840f065eb51f3fd63231d0d33daa35d4ed10d27718839e81737065782";
    const HASH: &str = "c574f5d3090c2936360b4e36cf6835cf3e2206b84fdc6347e6b28ca721ae1371";
    let event = json!({
        "account_guid": "63522885f9261e2b04eea043933ee7313eb674fd",
        "event": { "event_time": "1348177752", "event_type": "unknown_error", "event_hash": HASH },
    });
    let (json, multipart) = (event.to_string(), "multipart/form-data; boundary=---11");
    let part = format!(
        "-----11\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{json}\r\n-----11--\r\n"
    );
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("json", &json).finish();
    let mut identities = std::collections::BTreeSet::new();
    for (content_type, body) in
        [("application/json", json), (multipart, part), ("application/x-www-form-urlencoded", form)]
    {
        let signed = request("https://example.test/", &[("content-type", content_type)], body);
        let verified = check("dropbox-sign", KEY, &signed, NOW);
        assert_eq!(verified.event_type.unwrap(), "unknown_error");
        assert_eq!(verified.event_id.unwrap(), HASH);
        identities.insert(verified.identity.unwrap());
        let body = String::from_utf8(signed.body).unwrap();
        for (from, to) in [("1348177752", "1348177753"), ("unknown_error", "unknown_errot")] {
            let headers = [("content-type", content_type)];
            let tampered = request("https://example.test/", &headers, body.replace(from, to));
            let reason = rejected("dropbox-sign", &Settings::new([KEY]), &tampered, NOW);
            assert_eq!(reason, VerifyError::Signature);
        }
    }
    assert_eq!(identities.len(), 1, "how the event is wrapped makes no difference");
}

#[test]
fn requests_that_contentful_s_toolkit_signed_verify() {
    let secret = format!("{}{}", "a".repeat(32), "b".repeat(32));
    let body = r#"{"sys":{"id":"5KsDBWseXY6QegucYAoacS","type":"Entry"},"fields":{"title":{"en-US":"Hello, World!"}}}"#;
    let plain = request(
        "https://hooks.example.com/trigger/SW5zdGFuY2VGbG93Q29uZmlnOjE=",
        &[
            ("Content-Type", "application/vnd.contentful.management.v1+json"),
            ("X-Contentful-Topic", "ContentManagement.Entry.publish"),
            (
                "x-contentful-signature",
                "8dec81505760a10b542fbc36d3aa0a772b11f759eca7b2351daaf5bba8c7c6f1",
            ),
            (
                "x-contentful-signed-headers",
                "content-type,x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic",
            ),
            ("x-contentful-timestamp", "1767225600000"),
        ],
        body,
    );
    let with_query = |url| {
        request(
            url,
            &[
                ("x-contentful-webhook-name", " My Hook "),
                (
                    "x-contentful-signature",
                    "c8c83deb1a865012752f66594e6228056c826fd7227a70361b3a304e124555ec",
                ),
                (
                    "x-contentful-signed-headers",
                    "x-contentful-signed-headers,x-contentful-timestamp,x-contentful-webhook-name",
                ),
                ("x-contentful-timestamp", "1767225600000"),
            ],
            body,
        )
    };
    let verified = check("contentful", &secret, &plain, NOW);
    assert_eq!(verified.event_type.unwrap(), "ContentManagement.Entry.publish");
    check("contentful", &secret, &with_query("https://h.test/trigger/abc?foo=bar baz&x=1"), NOW);
    check("contentful", &secret, &with_query("https://h.test/trigger/abc?foo=bar%20baz&x=1"), NOW);

    let settings = Settings::new([&secret]);
    assert_eq!(rejected("contentful", &settings, &plain, NOW + 60), VerifyError::TooOld);
    assert_eq!(rejected("contentful", &settings, &plain, NOW - 60), VerifyError::TooNew);
    for (index, value) in [(0, "text/plain"), (1, "Other.topic"), (4, "1767225600001")] {
        let mut tampered = plain.clone();
        tampered.headers[index].1 = value.to_owned();
        assert_eq!(rejected("contentful", &settings, &tampered, NOW), VerifyError::Signature);
    }
    let get = SignedRequest { method: "GET".to_owned(), ..plain };
    assert_eq!(rejected("contentful", &settings, &get, NOW), VerifyError::Signature);
}

const EBAY_KEY: &str = "-----BEGIN PUBLIC KEY-----MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZhhxXKtR+TOvtDbgTPCkSof02qgBB7IsYOyf76ilExJ/upAa/vKIKheOoCyOpcLmi4t0b4uepb7LLjmMr90FUg==-----END PUBLIC KEY-----";

fn ebay(signature: &str) -> SignedRequest {
    let body = r#"{"metadata":{"topic":"MARKETPLACE_ACCOUNT_DELETION","schemaVersion":"1.0","deprecated":false},"notification":{"notificationId":"49feeaeb-4982-42d9-a377-9645b8479411_33f7e043-fed8-442b-9d44-791923bd9a6d","eventDate":"2021-03-19T20:43:59.462Z","publishDate":"2021-03-19T20:43:59.679Z","publishAttemptCount":1,"data":{"username":"test_user","userId":"ma8vp1jySJC","eiasToken":"nY+sHZ2PrBmdj6wVnY+sEZ2PrA2dj6wJnY+gAZGEpwmdj6x9nY+seQ=="}}}"#;
    request("https://example.test/", &[("X-EBAY-SIGNATURE", signature)], body)
}

const EBAY_SIGNATURE: &str = "eyJhbGciOiJlY2RzYSIsImtpZCI6Ijk5MzYyNjFhLTdkN2ItNDYyMS1hMGYxLTk2Y2NiNDI4YWY0OSIsInNpZ25hdHVyZSI6Ik1FWUNJUUNmeGZJV3V4bVdjSUJRSjljNS9YN2lHREpxczJSQ0dzQkVhQWppbnlycmZBSWhBSVY2d0djVGlCdVY1S0pVaWYyaG9reXJMK1E5c3NIa2FkK214Mm5FRTI1dyIsImRpZ2VzdCI6IlNIQTEifQ==";
const EBAY_MISMATCH: &str = "eyJhbGciOiJlY2RzYSIsImtpZCI6Ijk5MzYyNjFhLTdkN2ItNDYyMS1hMGYxLTk2Y2NiNDI4YWY0OSIsInNpZ25hdHVyZSI6Ik1FWUNJUUNHY1NubUFrVGZyK1paMlZnMGJXRW9zOGEvdGVCcWk3UGU2OCtoR21MTUNRSWdlRnZrcnRvKzhkczhSVndJM0dnbjFtTUdDck5NRVpKM1NSbE8yZngveHFJPSIsImRpZ2VzdCI6IlNIQTEifQ==";

#[test]
fn notifications_of_ebay_verify_with_a_pinned_key() {
    let settings = Settings::new([EBAY_KEY]);
    let verified = accepted("ebay", &settings, &ebay(EBAY_SIGNATURE), NOW);
    assert_eq!(verified.event_type.unwrap(), "MARKETPLACE_ACCOUNT_DELETION");
    assert_eq!(rejected("ebay", &settings, &ebay(EBAY_MISMATCH), NOW), VerifyError::Signature);
    let mut tampered = ebay(EBAY_SIGNATURE);
    tampered.body.push(b' ');
    assert_eq!(rejected("ebay", &settings, &tampered, NOW), VerifyError::Signature);
}

#[test]
fn the_key_of_a_notification_of_ebay_is_fetched_with_a_token() {
    let signed = ebay(EBAY_SIGNATURE);
    assert_eq!(rejected("ebay", &Settings::default(), &signed, NOW), VerifyError::NoSecret);
    let mut settings = with(Settings::default(), &[("access_token", "v^1.1#token")]);
    let VerifyError::KeyNeeded(needed) = rejected("ebay", &settings, &signed, NOW) else {
        panic!()
    };
    assert_eq!(
        needed.url,
        "https://api.ebay.com/commerce/notification/v1/public_key/9936261a-7d7b-4621-a0f1-96ccb428af49"
    );
    assert_eq!(needed.headers[0], ("authorization".into(), "Bearer v^1.1#token".into()));
    assert_eq!(needed.body, None);
    let response = json!({ "key": EBAY_KEY, "algorithm": "ECDSA", "digest": "SHA1" }).to_string();
    settings.fetched.push(FetchedKey { url: needed.url, body: response.into() });
    assert_eq!(accepted("ebay", &settings, &signed, NOW).secret, None);
    assert_eq!(rejected("ebay", &settings, &ebay(EBAY_MISMATCH), NOW), VerifyError::Signature);
}

#[test]
fn no_key_of_ebay_is_fetched_from_elsewhere() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    let settings = with(Settings::default(), &[("access_token", "token")]);
    for id in [
        "",
        "..",
        "../../oauth",
        "a/b",
        "a?b",
        "a#b",
        "a b",
        "%2e%2e",
        "@evil.example",
        &"a".repeat(129),
    ] {
        let header = json!({ "alg": "ecdsa", "kid": id, "signature": "AAAA", "digest": "SHA1" });
        let signed = ebay(&BASE64_STANDARD.encode(header.to_string()));
        let reason = rejected("ebay", &settings, &signed, NOW);
        assert!(matches!(reason, VerifyError::Malformed(_)), "{id}: {reason:?}");
    }
}

const TOPIC: &str = "arn:aws:sns:us-west-2:131990247566:dongie-standard-topic";
const SNS_CERTIFICATE: &str =
    include_str!("../../data/sns/SimpleNotificationService-7506a1e35b36ef5a444dd1a8e7cc3ed8.pem");
const SNS_CERTIFICATE_URL: &str = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-7506a1e35b36ef5a444dd1a8e7cc3ed8.pem";
/// In March 2026, when the messages were sent and the certificate was valid.
const SNS_NOW: u64 = 1_772_900_000;

fn sns(body: &str) -> SignedRequest {
    let headers = [("x-amz-sns-message-type", "Notification"), ("content-type", "text/plain")];
    request("https://example.test/", &headers, body)
}

fn sns_settings(certificate: &str) -> Settings {
    let body = certificate.as_bytes().to_vec();
    let fetched = FetchedKey { url: SNS_CERTIFICATE_URL.to_owned(), body };
    Settings { fetched: vec![fetched], ..Settings::new([TOPIC]) }
}

#[test]
fn messages_signed_by_amazon_sns_verify() {
    for body in [
        include_str!("../../data/sns/notification.json"),
        include_str!("../../data/sns/notification-subject.json"),
        include_str!("../../data/sns/notification-v2.json"),
        include_str!("../../data/sns/subscription-confirmation.json"),
    ] {
        let signed = sns(body);
        let VerifyError::KeyNeeded(needed) =
            rejected("aws-sns", &Settings::new([TOPIC]), &signed, SNS_NOW)
        else {
            panic!("no key was needed");
        };
        assert_eq!((needed.url.as_str(), needed.body), (SNS_CERTIFICATE_URL, None));
        let pinned = with(Settings::new([TOPIC]), &[("certificate", SNS_CERTIFICATE)]);
        for settings in [sns_settings(SNS_CERTIFICATE), pinned] {
            let verified = accepted("aws-sns", &settings, &signed, SNS_NOW);
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(verified.event_id.as_deref(), body["MessageId"].as_str());
            for name in ["Message", "MessageId", "Timestamp", "Type"] {
                let mut tampered = body.clone();
                tampered[name] = "2026-03-06T19:31:32.896Z".into();
                rejected("aws-sns", &settings, &sns(&tampered.to_string()), SNS_NOW);
            }
            let mut tampered = body.clone();
            tampered["Subject"] = "Another subject".into();
            if body["Type"] == "Notification" {
                let tampered = sns(&tampered.to_string());
                assert_eq!(
                    rejected("aws-sns", &settings, &tampered, SNS_NOW),
                    VerifyError::Signature
                );
            }
        }
    }
}

/// Parsers differ in which of two members counts: a receiver could read another than was signed.
#[test]
fn a_body_with_a_repeated_member_is_rejected() {
    const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    let settings = sns_settings(SNS_CERTIFICATE);
    let body = include_str!("../../data/sns/notification.json");
    for added in [
        r#""Message": "another","#,
        r#""M\u0065ssage": "another","#,
        r#""Type": "Notification","#,
        r#""Subject": "one", "Subject": "two","#,
    ] {
        let body = body.replacen('{', &format!("{{{added}"), 1);
        let reason = rejected("aws-sns", &settings, &sns(&body), SNS_NOW).to_string();
        assert!(reason.ends_with("occurs more than once in the body"), "{added}: {reason}");
    }
    let item = json!({
        "pspReference": "7914073381342284",
        "merchantReference": "TestPayment-1407325143704",
        "merchantAccountCode": "TestMerchant",
        "amount": { "currency": "EUR", "value": 1130 },
        "eventCode": "AUTHORISATION",
        "success": "true",
        "additionalData": { "hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=" },
    });
    let whole = adyen(&[item]);
    accepted("adyen", &Settings::new([KEY]), &whole, NOW);
    for (at, added) in [
        (r#""pspReference""#, r#""pspReference": "1","#),
        (r#""value""#, r#""value": 1,"#),
        (r#""NotificationRequestItem""#, r#""NotificationRequestItem": {},"#),
        (r#""live""#, r#""notificationItems": [],"#),
    ] {
        let body = String::from_utf8(whole.body.clone()).unwrap();
        let body = body.replacen(at, &format!("{added}{at}"), 1).into_bytes();
        rejected("adyen", &Settings::new([KEY]), &SignedRequest { body, ..whole.clone() }, NOW);
    }
}

/// The same form, encoded differently, is the same event.
#[test]
fn the_encoding_of_a_form_does_not_change_the_event() {
    let signature = [("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")];
    let of = |form: &str| {
        let signed = request(TWILIO_URL, &signature, form);
        accepted("twilio", &Settings::new(["12345"]), &signed, NOW).signed_content.unwrap()
    };
    let (first, rest) = TWILIO_FORM.split_once('&').unwrap();
    assert_eq!(of(TWILIO_FORM), of(&format!("{rest}&{first}")));
    assert_eq!(of(TWILIO_FORM), of(&TWILIO_FORM.replace("1234", "%31234")));
}

#[test]
fn topics_of_others_are_rejected() {
    let signed = sns(include_str!("../../data/sns/notification.json"));
    let mut settings = sns_settings(SNS_CERTIFICATE);
    settings.secrets = Settings::new(["arn:aws:sns:us-west-2:000000000000:ours"]).secrets;
    assert_eq!(rejected("aws-sns", &settings, &signed, SNS_NOW), VerifyError::Signature);
    settings.secrets.clear();
    assert_eq!(rejected("aws-sns", &settings, &signed, SNS_NOW), VerifyError::NoSecret);
}

#[test]
fn expired_and_foreign_certificates_are_rejected() {
    let signed = sns(include_str!("../../data/sns/notification.json"));
    let check = |certificate, now, reason: &str| {
        let settings = sns_settings(certificate);
        assert_eq!(rejected("aws-sns", &settings, &signed, now).to_string(), reason);
    };
    check(SNS_CERTIFICATE, 1_700_000_000, "the certificate is not valid at this time");
    check(SNS_CERTIFICATE, 1_900_000_000, "the certificate is not valid at this time");
    let other = include_str!("../../keys/other.crt");
    check(other, SNS_NOW, "the certificate does not belong to Amazon SNS");
    check(
        include_str!("../../keys/paypal.crt"),
        SNS_NOW,
        "the certificate does not belong to Amazon SNS",
    );
    check(include_str!("../../keys/sns.crt"), SNS_NOW, "no signature matches");
    let reason = format!("the content of {SNS_CERTIFICATE_URL} is not an X.509 certificate");
    check(include_str!("../../keys/rsa.pub"), SNS_NOW, &reason);
}

#[test]
fn no_certificate_is_fetched_from_elsewhere() {
    for url in [
        "https://sns.evil.com/a.pem",
        "http://sns.us-west-2.amazonaws.com/a.pem",
        "file:///etc/passwd",
    ] {
        let mut body: Value =
            serde_json::from_str(include_str!("../../data/sns/notification.json")).unwrap();
        body["SigningCertURL"] = url.into();
        let reason = rejected("aws-sns", &Settings::new([TOPIC]), &sns(&body.to_string()), SNS_NOW);
        assert_eq!(reason.to_string(), "SigningCertURL is not a URL of Amazon SNS");
    }
}

const PAYPAL_URL: &str =
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77";

fn paypal() -> SignedRequest {
    let settings =
        with(Settings::new(["WH-1"]), &[("private_key", include_str!("../../keys/rsa.pem"))]);
    let draft = UnsignedRequest {
        body: br#"{"id":"WH-EV-1","event_type":"PAYMENT.SALE.COMPLETED"}"#.to_vec(),
        ..UnsignedRequest::default()
    };
    let mut signed = sign(find("paypal").unwrap(), &settings, draft, NOW).unwrap();
    let url = signed.headers.iter_mut().find(|(name, _)| name == "paypal-cert-url").unwrap();
    PAYPAL_URL.clone_into(&mut url.1);
    signed
}

#[test]
fn the_certificate_of_paypal_is_fetched_and_checked() {
    let signed = paypal();
    let VerifyError::KeyNeeded(needed) = rejected("paypal", &Settings::new(["WH-1"]), &signed, NOW)
    else {
        panic!("no key was needed");
    };
    assert_eq!((needed.url.as_str(), needed.body), (PAYPAL_URL, None));
    let at = |webhook: &str, certificate: &str, now| {
        let body = certificate.as_bytes().to_vec();
        let fetched = FetchedKey { url: PAYPAL_URL.to_owned(), body };
        let settings = Settings { fetched: vec![fetched], ..Settings::new([webhook]) };
        receive(find("paypal").unwrap(), &settings, &signed, now).map_err(|it| it.to_string())
    };
    let certificate = include_str!("../../keys/paypal.crt");
    let verified = at("WH-1", certificate, NOW).unwrap();
    assert_eq!(verified.event_type.as_deref(), Some("PAYMENT.SALE.COMPLETED"));
    assert_eq!(verified.event_id.as_deref(), Some("WH-EV-1"));
    for (webhook, certificate, now, reason) in [
        ("WH-2", certificate, NOW, "no signature matches"),
        ("WH-1", certificate, 1_500_000_000, "the certificate is not valid at this time"),
        ("WH-1", certificate, 2_600_000_000, "the certificate is not valid at this time"),
        (
            "WH-1",
            include_str!("../../keys/other.crt"),
            NOW,
            "the certificate does not belong to PayPal",
        ),
        (
            "WH-1",
            include_str!("../../keys/sns.crt"),
            NOW,
            "the certificate does not belong to PayPal",
        ),
    ] {
        assert_eq!(at(webhook, certificate, now).unwrap_err(), reason);
    }
}

#[test]
fn paypal_without_a_webhook_id_fetches_nothing() {
    assert_eq!(rejected("paypal", &Settings::default(), &paypal(), NOW), VerifyError::NoSecret);
    let mut elsewhere = paypal();
    elsewhere.headers.retain(|(name, _)| name != "paypal-cert-url");
    elsewhere.headers.push(("paypal-cert-url".to_owned(), "https://evil.example/a.pem".to_owned()));
    assert_eq!(
        rejected("paypal", &Settings::new(["WH-1"]), &elsewhere, NOW).to_string(),
        "header:paypal-cert-url is not a URL of PayPal's certificates"
    );
}

#[test]
fn keys_of_neon_auth_are_fetched_and_chosen_by_id() {
    const URL: &str = "https://ep-a.neonauth.us-east-1.aws.neon.tech/db/auth/.well-known/jwks.json";

    let key = [include_str!("../../keys/ed25519.pem")];
    let settings = with(Settings::new(key), &[("key_id", "k-1")]);
    let draft = UnsignedRequest { body: b"{}".to_vec(), ..UnsignedRequest::default() };
    let signed = sign(find("neon-auth").unwrap(), &settings, draft, NOW).unwrap();
    let mut settings = with(Settings::default(), &[("jwks_url", URL)]);
    let reason = rejected("neon-auth", &settings, &signed, NOW);
    assert!(matches!(reason, VerifyError::KeyNeeded(needed) if needed.url == URL));
    for (id, is_believed) in [("k-1", true), ("k-2", false)] {
        let key = json!({ "kid": id, "kty": "OKP", "crv": "Ed25519", "x": "pv4BlBNy0e7f1nYFQLEpflfrFu3nsFAXPwyWP1opKn0" });
        let set = json!({ "keys": [key] }).to_string();
        settings.fetched = vec![FetchedKey { url: URL.to_owned(), body: set.into() }];
        let found = receive(find("neon-auth").unwrap(), &settings, &signed, NOW);
        assert_eq!(found.is_ok(), is_believed, "{found:?}");
    }
    settings = with(Settings::default(), &[("jwks_url", "http://a.neon.tech/jwks.json")]);
    assert!(matches!(rejected("neon-auth", &settings, &signed, NOW), VerifyError::Malformed(_)));
}

#[test]
fn exact_online_signs_content_as_it_is_written() {
    // `printf '{"Topic":"Items", "Action":"Update"}' | openssl dgst -sha256 -hmac secret`
    let hash = "8DAA59F793240E4668F45ECAA96B1987CBDC026B0E1EAAEB33F00E1E684C0FC4";
    let body = |content: &str| format!(r#"{{"Content":{content},"HashCode":"{hash}"}}"#);
    let content = r#"{"Topic":"Items", "Action":"Update"}"#;
    let signed = request("https://example.test/", &[], body(content));
    let verified = check("exact-online", "secret", &signed, NOW);
    assert_eq!(verified.event_type.as_deref(), Some("Items.Update"));
    let compact = request("https://example.test/", &[], body(&content.replace(' ', "")));
    let reason = rejected("exact-online", &Settings::new(["secret"]), &compact, NOW);
    assert_eq!(reason, VerifyError::Signature);
}

#[test]
fn mandrill_and_solidgate_sign_as_openssl_does() {
    // The URL, `a`, `1`, `mandrill_events`, `[]`, one after the other.
    let headers = [("x-mandrill-signature", "nXvThveJ+UHJF1RYxXxJGIxZbUo=")];
    let signed = request("https://example.test/hook", &headers, "mandrill_events=%5B%5D&a=1");
    check("mandrill", "secret", &signed, NOW);
    let headers = [
        ("merchant", "wh_pk"),
        (
            "signature",
            "YmViZGVlYzQ4NDcyZjk4NjE1NDlkNzVmYjhjOGRlMjQ5M2YwYTk4MzVjYzA4ZWZlZGM0MGRlMzM1YmQ2NmUxOTUwZTY1ODA3NzcxZjI3NWUxZmNiN2YyYjI0ZTUzMmQ2N2QwNzMxOGQ2NDBhYmEyYjc3M2M5YzNhNGQ1YjQxNWM=",
        ),
    ];
    let signed = request("https://example.test/hook", &headers, "{}");
    check("solidgate", "secret", &signed, NOW);
    let settings = with(Settings::new(["secret"]), &[("public_key", "wh_pk_other")]);
    assert!(matches!(rejected("solidgate", &settings, &signed, NOW), VerifyError::Malformed(_)));
}

#[test]
fn the_resource_of_wechat_pay_is_decrypted_only_with_the_right_key() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";

    // Encrypted with Node's `crypto` and with Python's `cryptography`.
    let mut body = json!({ "id": "EV-1", "resource": {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": "DUcclrHBE5NffFMk6pzEyhVrz1jnxtqSCQMaICR0+urvOkRI0JNqKpzaO4OUnvQSzLpGVsFVIFQT9PK9/oDd",
        "nonce": "fdasflkja484",
        "associated_data": "transaction",
    } });
    let decrypt = |key: &str, body: &Value| decrypt_wechat_pay(key, body.to_string().as_bytes());
    let expected = br#"{"out_trade_no":"1217752501201407033233368018"}"#;
    assert_eq!(decrypt(KEY, &body).unwrap(), expected);
    assert_eq!(decrypt("1123456789abcdef0123456789abcdef", &body), None);
    assert_eq!(decrypt("short", &body), None);
    body["resource"]["associated_data"] = "other".into();
    assert_eq!(decrypt(KEY, &body), None);
    assert_eq!(decrypt(KEY, &json!({ "resource": { "nonce": "", "ciphertext": "AA==" } })), None);
    assert_eq!(decrypt(KEY, &json!({})), None);
}
