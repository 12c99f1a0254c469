//! Tables of messages and responses.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    fixtures,
    kind::{Fields, Problem, parse},
    outcome::Outcome,
};

const HOOK: &str = "https://chat.example/services/T0/B0/geheim";

fn config<T: KindConfig>(config: Value) -> Result<T, Vec<Problem>> {
    let Value::Object(fields) = config else { unreachable!() };
    parse::<T>(&Fields::from(fields))
}

fn event(payload: &Value) -> Event {
    Event::new(&fixtures::message(), &Bytes::from(payload.to_string()))
}

fn body(chat: &impl Chat, payload: &Value) -> Value {
    let request = chat.request(&event(payload), None).unwrap();
    serde_json::from_slice(&request.body).unwrap()
}

fn reason(chat: &impl Chat, payload: &Value) -> String {
    let error = chat.request(&event(payload), None).unwrap_err();
    assert_eq!(error.failure, Failure::Rejected);
    error.reason
}

fn respond(status: u16, retry_after: Option<u64>, body: &str) -> ChatResponse<'_> {
    let retry_after = retry_after.map(Duration::from_secs);
    ChatResponse { status, retry_after, body: body.as_bytes() }
}

const fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None }
}

const fn busy(millis: u64) -> Outcome {
    Outcome::Answered { status: 429, retry_after: Some(Duration::from_millis(millis)) }
}

const DEAD: Outcome = Outcome::Unanswered(Failure::Misconfigured);
const REJECTED: Outcome = Outcome::Unanswered(Failure::Rejected);

#[track_caller]
fn check(chat: &impl Chat, cases: &[(u16, Option<u64>, &str, Outcome)]) {
    for (status, retry_after, body, expected) in cases {
        let judged = chat.judge(&respond(*status, *retry_after, body));
        assert_eq!(judged.outcome, *expected, "{status} {body}");
    }
}

#[test]
fn slack_gets_texts_in_which_values_have_no_markup() {
    let slack: Slack = config(
        json!({ "url": HOOK, "text": "<https://x|{{ payload.n }}> {{ payload.n | slack }}" }),
    )
    .unwrap();
    let n = json!({ "n": "<!here> & 'all'" });
    let escaped = "&lt;!here&gt; &amp; 'all'";
    assert_eq!(body(&slack, &n), json!({ "text": format!("<https://x|{escaped}> {escaped}") }));
    let blocks = r#"[{"type":"section","text":{{ payload.n | slack }}}]"#;
    let slack: Slack = config(json!({ "url": HOOK, "text": "t", "blocks": blocks })).unwrap();
    let expected = json!({ "text": "t", "blocks": [{ "type": "section", "text": escaped }] });
    assert_eq!(body(&slack, &n), expected);
    for (blocks, expected) in [
        ("{}", "is not a list"),
        ("[", "is not JSON"),
        ("[{% for n in range(51) %}{}{% if not loop.last %},{% endif %}{% endfor %}]", "51 items"),
    ] {
        let slack: Slack = config(json!({ "url": HOOK, "blocks": blocks })).unwrap();
        let reason = reason(&slack, &n);
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn without_templates_messages_show_the_event() {
    let small = json!({ "name": "Ada" });
    let large = json!({ "list": vec!["<&>"; 100_000] });
    let slack: Slack = config(json!({ "url": HOOK })).unwrap();
    assert_eq!(body(&slack, &small)["text"], "*user.created*\n```{\n  \"name\": \"Ada\"\n}```");
    let discord: Discord = config(json!({ "url": HOOK })).unwrap();
    let teams: Teams = config(json!({ "url": HOOK })).unwrap();
    let telegram: Telegram = config(json!({ "token": "1:a", "chatId": 5 })).unwrap();
    let html: Telegram =
        config(json!({ "token": "1:a", "chatId": 5, "parseMode": "HTML" })).unwrap();
    for payload in [&small, &large] {
        body(&slack, payload);
        let content = body(&discord, payload)["content"].as_str().unwrap().to_owned();
        assert!(content.chars().count() <= 2_000, "{content}");
        body(&teams, payload);
        let text = body(&telegram, payload)["text"].as_str().unwrap().to_owned();
        assert!(text.chars().count() <= 4_096 && text.contains("user.created"), "{text}");
        body(&html, payload);
    }
}

#[test]
fn discord_notifies_no_one_by_default() {
    let discord: Discord = config(json!({ "url": HOOK, "content": "{{ payload.t }}" })).unwrap();
    let sent = body(&discord, &json!({ "t": "@everyone" }));
    assert_eq!(sent, json!({ "content": "@everyone", "allowed_mentions": { "parse": [] } }));
    let request = discord.request(&event(&json!({})), None).unwrap();
    assert_eq!(request.url.as_str(), format!("{HOOK}?wait=true"));
    let thread = format!("{HOOK}?thread_id=7");
    let discord: Discord = config(json!({
        "url": thread,
        "embeds": r#"[{"title":{{ type }}}]"#,
        "username": "Shop",
        "allowedMentions": { "parse": ["users"] },
    }))
    .unwrap();
    let request = discord.request(&event(&json!({})), None).unwrap();
    assert_eq!(request.url.query(), Some("thread_id=7&wait=true"));
    let expected = json!({
        "embeds": [{ "title": "user.created" }],
        "username": "Shop",
        "allowed_mentions": { "parse": ["users"] },
    });
    assert_eq!(body(&discord, &json!({})), expected);
}

#[test]
fn long_texts_end_with_an_ellipsis() {
    let payload = json!({ "t": "😀".repeat(3_000) });
    let discord: Discord = config(json!({ "url": HOOK, "content": "{{ payload.t }}" })).unwrap();
    let content = body(&discord, &payload)["content"].as_str().unwrap().to_owned();
    assert_eq!(content, "😀".repeat(999) + "…");
    assert_eq!(shortened("abc".to_owned(), 3), "abc");
    assert_eq!(shortened("abcd".to_owned(), 3), "ab…");
}

#[test]
fn teams_gets_a_card_that_fits() {
    let teams: Teams = config(json!({ "url": HOOK, "text": "Hello {{ payload.n }}" })).unwrap();
    let sent = body(&teams, &json!({ "n": "<Ada>" }));
    assert_eq!(sent["type"], "message");
    let attachment = &sent["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(attachment["content"]["body"][0]["text"], "Hello <Ada>");
    let card = r#"{"type":"AdaptiveCard","body":[{"type":"TextBlock","text":{{ payload.n }}}]}"#;
    let teams: Teams = config(json!({ "url": HOOK, "card": card })).unwrap();
    let sent = body(&teams, &json!({ "n": "\"x\"" }));
    assert_eq!(sent["attachments"][0]["content"]["body"][0]["text"], "\"x\"");
    let reason = reason(&teams, &json!({ "n": "x".repeat(28 << 10) }));
    assert!(reason.contains("the card has 28") && reason.contains("28672"), "{reason}");
    config::<Teams>(json!({ "url": HOOK, "card": "{}", "text": "x" })).unwrap_err();
}

#[test]
fn telegram_escapes_values_in_html_only() {
    let with = |mode: Option<&str>| {
        let fields = json!({
            "token": "1:a",
            "chatId": "@news",
            "text": "<b>{{ payload.n }}</b>",
            "parseMode": mode,
        });
        config::<Telegram>(fields).unwrap()
    };
    let n = json!({ "n": "a<b" });
    assert_eq!(body(&with(None), &n), json!({ "chat_id": "@news", "text": "<b>a<b</b>" }));
    let html = json!({ "chat_id": "@news", "text": "<b>a&lt;b</b>", "parse_mode": "HTML" });
    assert_eq!(body(&with(Some("HTML")), &n), html);
    let moved = with(None).request(&event(&n), Some("-1007")).unwrap();
    assert!(String::from_utf8_lossy(&moved.body).contains("-1007"));
    assert_eq!(moved.url.as_str(), "https://api.telegram.org/bot1:a/sendMessage");
}

#[test]
fn credentials_are_not_shown() {
    let slack: Slack = config(json!({ "url": HOOK })).unwrap();
    let telegram: Telegram = config(json!({
        "token": "1:geheim",
        "chatId": -5,
        "apiUrl": "http://bots.example/api/",
    }))
    .unwrap();
    assert_eq!(slack.address(), "https://chat.example/***");
    assert_eq!(telegram.address(), "http://bots.example/api/bot***/sendMessage?chat_id=-5");
    for text in [format!("{slack:?}"), format!("{telegram:?}")] {
        assert!(!text.contains("geheim"), "{text}");
    }
    assert_eq!(telegram.hide_credentials("at /bot1:geheim/x"), "at /bot***/x");
    assert_eq!(slack.hide_credentials("at /services/T0/B0/geheim"), "at ***");
}

#[test]
fn what_cannot_work_is_a_problem() {
    config::<Slack>(json!({ "url": "ftp://x" })).unwrap_err();
    config::<Slack>(json!({ "url": "https://u:p@x" })).unwrap_err();
    config::<Slack>(json!({ "url": HOOK, "text": "{% if" })).unwrap_err();
    for (token, chat) in [("x", json!(5)), ("1:a/b", json!(5)), ("1:a", json!("news"))] {
        config::<Telegram>(json!({ "token": token, "chatId": chat })).unwrap_err();
    }
    config::<Telegram>(json!({ "token": "1:a", "chatId": 5, "parseMode": "Markdown" }))
        .unwrap_err();
}

#[test]
fn responses_of_slack() {
    check(
        &config::<Slack>(json!({ "url": HOOK })).unwrap(),
        &[
            (200, None, "ok", answered(200)),
            (200, None, r#"{"ok":false,"error":"invalid_auth"}"#, DEAD),
            (429, Some(30), "rate_limited", busy(30_000)),
            (429, None, "", answered(429)),
            (400, None, "invalid_payload", REJECTED),
            (400, None, "no_text", REJECTED),
            (400, None, "user_not_found", DEAD),
            (403, None, "invalid_token", DEAD),
            (403, None, "action_prohibited", DEAD),
            (404, None, "no_service", DEAD),
            (404, None, "channel_not_found", DEAD),
            (410, None, "channel_is_archived", DEAD),
            (500, None, "rollup_error", answered(500)),
            (503, None, "", answered(503)),
        ],
    );
}

#[test]
fn responses_of_discord() {
    let limited = r#"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#;
    check(
        &config::<Discord>(json!({ "url": HOOK })).unwrap(),
        &[
            (200, None, r#"{"id":"7"}"#, answered(200)),
            (204, None, "", answered(204)),
            (429, Some(65), limited, busy(64_570)),
            (429, Some(65), "<html>", busy(65_000)),
            (400, None, r#"{"message":"Cannot send an empty message","code":50006}"#, REJECTED),
            (401, None, r#"{"message":"Invalid Webhook Token","code":50027}"#, DEAD),
            (404, None, r#"{"message":"Unknown Webhook","code":10015}"#, DEAD),
            (502, None, "", answered(502)),
        ],
    );
}

#[test]
fn responses_of_teams() {
    check(
        &config::<Teams>(json!({ "url": HOOK })).unwrap(),
        &[
            (202, None, "", answered(202)),
            (429, Some(7), "", busy(7_000)),
            (400, None, r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#, REJECTED),
            (413, None, "", REJECTED),
            (401, None, r#"{"error":{"code":"DirectApiAuthorizationRequired"}}"#, DEAD),
            (404, None, r#"{"error":{"code":"WorkflowNotFound"}}"#, DEAD),
            (504, None, "", answered(504)),
        ],
    );
}

#[test]
fn responses_of_telegram() {
    let telegram: Telegram = config(json!({ "token": "1:a", "chatId": -5 })).unwrap();
    let error = |code: u16, text: &str, parameters: Value| {
        json!({ "ok": false, "error_code": code, "description": text, "parameters": parameters })
            .to_string()
    };
    let none = json!({});
    let wait = json!({ "retry_after": 35 });
    let busy_body = error(429, "Too Many Requests: retry after 35", wait);
    check(
        &telegram,
        &[
            (200, None, r#"{"ok":true,"result":{"message_id":9}}"#, answered(200)),
            (429, Some(1), &busy_body, busy(35_000)),
            (200, None, &busy_body, busy(35_000)),
            (429, Some(3), "", busy(3_000)),
            (200, None, r#"{"ok":false}"#, REJECTED),
            (400, None, &error(400, "Bad Request: message is too long", none.clone()), REJECTED),
            (400, None, &error(400, "Bad Request: can't parse entities", none.clone()), REJECTED),
            (400, None, &error(400, "Bad Request: chat not found", none.clone()), DEAD),
            (400, None, &error(400, "Bad Request: not enough rights to send", none.clone()), DEAD),
            (401, None, &error(401, "Unauthorized", none.clone()), DEAD),
            (403, None, &error(403, "Forbidden: bot was kicked", none.clone()), DEAD),
            (404, None, &error(404, "Not Found", none), DEAD),
            (502, None, "", answered(502)),
        ],
    );
    let migrated = error(400, "group chat was upgraded", json!({ "migrate_to_chat_id": -1007 }));
    let judged = telegram.judge(&respond(400, None, &migrated));
    assert_eq!(judged.moved_to.as_deref(), Some("-1007"));
}
