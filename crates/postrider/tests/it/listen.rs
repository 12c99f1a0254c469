//! The listen protocol: its messages are fixed, because clients and servers are updated at
//! different times.

use std::collections::BTreeMap;

use postrider::listen::{
    ClientMessage, CloseCode, RelayedRequest, RelayedResponse, ServerMessage, Start, Started,
    append_header, is_hop_by_hop, is_valid_token, token_from_key,
};

#[track_caller]
fn check_client(message: &ClientMessage, json: &str) {
    assert_eq!(message.to_json(), json);
    assert_eq!(serde_json::from_str::<ClientMessage>(json).unwrap(), *message);
}

#[track_caller]
fn check_server(message: &ServerMessage, json: &str) {
    assert_eq!(message.to_json(), json);
    assert_eq!(serde_json::from_str::<ServerMessage>(json).unwrap(), *message);
}

fn headers() -> BTreeMap<String, String> {
    BTreeMap::from([("content-type".to_owned(), "text/plain".to_owned())])
}

#[test]
fn messages_of_the_client_do_not_change() {
    check_client(
        &ClientMessage::Start(Start {
            token: "p_x".to_owned(),
            key: Some("k".to_owned()),
            source: None,
            after: None,
        }),
        r#"{"type":"start","version":1,"data":{"token":"p_x","key":"k"}}"#,
    );
    check_client(
        &ClientMessage::Start(Start {
            token: "p_x".to_owned(),
            key: Some("k".to_owned()),
            source: Some("shop".to_owned()),
            after: Some("msg_1".to_owned()),
        }),
        r#"{"type":"start","version":1,"data":{"token":"p_x","key":"k","source":"shop","after":"msg_1"}}"#,
    );
    check_client(
        &ClientMessage::Event(RelayedResponse {
            id: "req_1".to_owned(),
            status: 202,
            body: "aGVsbG8=".to_owned(),
            headers: headers(),
        }),
        r#"{"type":"event","version":1,"data":{"id":"req_1","status":202,"body":"aGVsbG8=","headers":{"content-type":"text/plain"}}}"#,
    );
}

#[test]
fn messages_of_the_server_do_not_change() {
    check_server(
        &ServerMessage::Start(Started {
            token: "p_x".to_owned(),
            url: Some("https://example.com/api/v1/receive/p_x/".to_owned()),
            response_bytes: Some(1_048_576),
            after: None,
        }),
        r#"{"type":"start","version":1,"data":{"token":"p_x","url":"https://example.com/api/v1/receive/p_x/","answer_bytes":1048576}}"#,
    );
    check_server(
        &ServerMessage::Start(Started {
            token: String::new(),
            url: None,
            response_bytes: Some(1),
            after: Some("msg_1".to_owned()),
        }),
        r#"{"type":"start","version":1,"data":{"token":"","url":null,"answer_bytes":1,"after":"msg_1"}}"#,
    );
    check_server(
        &ServerMessage::Event(RelayedRequest {
            id: "msg_1".to_owned(),
            method: "POST".to_owned(),
            body: "aGVsbG8=".to_owned(),
            headers: headers(),
            target: "a?b".to_owned(),
            event_type: Some("invoice.paid".to_owned()),
        }),
        r#"{"type":"event","version":1,"data":{"id":"msg_1","method":"POST","body":"aGVsbG8=","headers":{"content-type":"text/plain"},"target":"a?b","event_type":"invoice.paid"}}"#,
    );
    check_server(
        &ServerMessage::Event(RelayedRequest {
            id: "req_1".to_owned(),
            method: "PUT".to_owned(),
            ..RelayedRequest::default()
        }),
        r#"{"type":"event","version":1,"data":{"id":"req_1","method":"PUT","body":"","headers":{}}}"#,
    );
}

#[test]
fn messages_without_the_optional_members_are_understood() {
    let start = r#"{"type":"start","version":1,"data":{"token":"c_x"}}"#;
    let expected = Start { token: "c_x".to_owned(), ..Start::default() };
    assert!(!expected.knows_close_codes());
    assert_eq!(
        serde_json::from_str::<ClientMessage>(start).unwrap(),
        ClientMessage::Start(expected)
    );
    let response = r#"{"data":{"id":"1","status":200,"unknown":1},"version":2,"type":"event"}"#;
    let expected =
        RelayedResponse { id: "1".to_owned(), status: 200, ..RelayedResponse::default() };
    assert_eq!(
        serde_json::from_str::<ClientMessage>(response).unwrap(),
        ClientMessage::Event(expected)
    );
    let started = r#"{"type":"start","version":1,"data":{"token":"c_x"}}"#;
    let expected = Started { token: "c_x".to_owned(), ..Started::default() };
    assert_eq!(
        serde_json::from_str::<ServerMessage>(started).unwrap(),
        ServerMessage::Start(expected)
    );
    assert!(serde_json::from_str::<ServerMessage>(r#"{"type":"other","data":{}}"#).is_err());
}

#[test]
fn close_codes_do_not_change() {
    let rows = [
        (CloseCode::Unauthenticated, 4401, 1008),
        (CloseCode::SourceNotFound, 4404, 1008),
        (CloseCode::TokenInUse, 4409, 1008),
        (CloseCode::InvalidToken, 4422, 1008),
        (CloseCode::TryAgainLater, 4503, 1013),
    ];
    for (close, code, standard) in rows {
        assert_eq!((close.code(), close.standard_code()), (code, standard));
        assert_eq!(CloseCode::from_code(code), Some(close));
    }
    assert_eq!(CloseCode::from_code(1008), None);
    assert_eq!(CloseCode::from_code(4000), None);
}

#[test]
fn a_token_follows_from_its_key() {
    assert_eq!(token_from_key("a key"), "p_j6Oqsvqpt54KA5jaW1q9B4AUJEKlvoC5");
    assert!(is_valid_token(&token_from_key("a key")));
}

#[test]
fn a_key_does_not_appear_in_debug_output() {
    let start = Start {
        key: Some("secret".to_owned()),
        source: Some("shop".to_owned()),
        ..Start::default()
    };
    let shown = format!("{:?}", ClientMessage::Start(start));
    assert!(shown.contains("shop") && !shown.contains("secret"), "{shown}");
}

#[test]
fn values_of_the_same_header_are_joined() {
    let mut headers = BTreeMap::new();
    for (name, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        append_header(&mut headers, name.to_owned(), value);
    }
    let shown: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(shown, ["a: 1, 3", "b: 2"]);
    assert!(is_hop_by_hop("te") && !is_hop_by_hop("content-type"));
}
