use postrider::api::{
    AppPortalAccessIn, ApplicationIn, ApplicationOut, ApplicationPatch, BatchIn,
    EndpointHeadersPatchIn, EndpointIn, EndpointOrdering, EndpointOut, EndpointPatch, EventTypeIn,
    EventTypeOut, EventTypePatch, EventTypes, FeatureFlags, ListResponse, MessageIn, MessageOut,
    MessageStatus, OperationalEvent, Patch, ThrottleRate,
    event::{DisabledTrigger, EndpointDisabledData},
    message,
};
use serde_json::{Value, json};

#[expect(clippy::needless_pass_by_value, reason = "calls read better with a literal")]
fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_str(&value.to_string()).unwrap()
}

fn read_error<T: serde::de::DeserializeOwned>(value: &Value) -> String {
    serde_json::from_str::<T>(&value.to_string()).err().unwrap().to_string()
}

fn write(value: &impl serde::Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

fn endpoint() -> EndpointOut {
    EndpointOut {
        managed_by: None,
        id: "ep_00000000000000000000000000".parse().unwrap(),
        url: "https://example.com/".to_owned(),
        kind: postrider::api::EndpointKind::Http,
        config: None,
        uid: Some("mine".parse().unwrap()),
        description: String::new(),
        disabled: false,
        event_types: EventTypes(Some(vec!["user.created".parse().unwrap()])),
        channels: None,
        filter: None,
        throttle_rate: ThrottleRate(Some(7)),
        ordering: EndpointOrdering::Fifo,
        strict_rate: true,
        batch: None,
        paused: false,
        skip_after: None,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: None,
        signing: None,
        metadata: [("a".to_owned(), "b".to_owned())].into(),
        version: postrider::api::endpoint::VERSION,
        created_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        updated_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

#[test]
fn an_endpoint_has_the_field_names_of_1_x_and_2_x_clients() {
    let written = write(&endpoint());
    let expected = json!({
        "id": "ep_00000000000000000000000000",
        "url": "https://example.com/",
        "kind": "http",
        "uid": "mine",
        "description": "",
        "disabled": false,
        "eventTypes": ["user.created"],
        "filterTypes": ["user.created"],
        "throttleRate": 7,
        "rateLimit": 7,
        "ordering": "fifo",
        "strictRate": true,
        "metadata": {"a": "b"},
        "version": 1,
        "createdAt": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-01-02T03:04:05Z",
    });
    assert_eq!(written, expected);
    assert_eq!(read::<EndpointOut>(written), endpoint());
}

#[test]
fn either_name_is_read_and_the_current_one_wins() {
    for (fields, types, rate) in [
        (json!({}), None, None),
        (json!({"eventTypes": ["a"], "throttleRate": 1}), Some("a"), Some(1)),
        (json!({"filterTypes": ["a"], "rateLimit": 1}), Some("a"), Some(1)),
        (json!({"filterTypes": ["b"], "eventTypes": ["a"]}), Some("a"), None),
        (json!({"rateLimit": null, "filterTypes": null}), None, None),
    ] {
        let mut endpoint = fields.clone();
        endpoint["url"] = json!("https://example.com/");
        let endpoint: EndpointIn = read(endpoint);
        assert_eq!(endpoint.event_types.0, types.map(|it| vec![it.to_owned()]), "{fields}");
        assert_eq!(endpoint.throttle_rate.0, rate, "{fields}");
    }
}

#[test]
fn optional_fields_of_requests_may_be_missing_or_null() {
    let endpoint: EndpointIn = read(json!({"url": "u", "metadata": null, "disabled": null,
        "description": null, "headers": null, "ordering": null, "strictRate": null, "version": 1, "unknown": {}}));
    assert_eq!(endpoint, EndpointIn { url: "u".to_owned(), ..EndpointIn::default() });
    assert_eq!(read::<ApplicationIn>(json!({"name": "n"})).name, "n");
    read::<EventTypeIn>(json!({"name": "n", "description": "d"}));
    read::<AppPortalAccessIn>(json!({}));
    // Only the kind `http` requires a URL.
    assert_eq!(read::<EndpointIn>(json!({})), EndpointIn::default());
    assert!(read_error::<EndpointIn>(&json!({"kind": "ftp"})).contains("ftp"));
    assert!(read_error::<EndpointIn>(&json!({"url": "u", "ordering": "lifo"})).contains("lifo"));
    assert!(read_error::<ApplicationIn>(&json!({"name": "n", "throttleRate": -1})).contains("-1"));
    assert!(
        read_error::<ApplicationIn>(&json!({"name": "n", "rateLimit": 70_000})).contains("70000")
    );
}

#[test]
fn a_patch_distinguishes_absent_from_null() {
    let patch: EndpointPatch = read(json!({"uid": null, "filterTypes": ["a"], "rateLimit": null}));
    assert_eq!(patch.uid, Patch::Clear);
    assert_eq!(patch.event_types.0, Patch::Set(vec!["a".to_owned()]));
    assert_eq!(patch.throttle_rate.0, Patch::Clear);
    assert_eq!(patch.channels, Patch::Keep);
    assert_eq!(read::<EndpointPatch>(write(&patch)), patch);
    assert_eq!(write(&EndpointPatch::default()), json!({}));
    assert_eq!(write(&ApplicationPatch::default()), json!({}));
}

#[test]
fn a_patch_cannot_remove_required_fields() {
    assert!(read_error::<EndpointPatch>(&json!({"url": null})).contains("null"));
    assert!(read_error::<EndpointPatch>(&json!({"strictRate": null})).contains("null"));
    assert!(read_error::<ApplicationPatch>(&json!({"name": null})).contains("null"));
}

#[test]
fn a_header_patch_removes_headers_in_two_ways() {
    let patch: EndpointHeadersPatchIn =
        read(json!({"headers": {"a": "1", "b": null}, "deleteHeaders": ["c"]}));
    assert_eq!(patch.headers["a"].as_deref(), Some("1"));
    assert_eq!(patch.headers["b"], None);
    assert_eq!(patch.delete_headers, ["c"]);
    read::<EndpointHeadersPatchIn>(json!({"deleteHeaders": ["c"]}));
}

#[test]
fn an_event_type_has_its_flags_under_both_names() {
    let schemas = r#"{"1":{"b":1,  "a":2}}"#;
    let text = format!(
        r#"{{"name":"n","description":"d","archived":false,"deprecated":true,"schemas":{schemas},
        "featureFlag":"x","createdAt":"2026-01-02T03:04:05Z","updatedAt":"2026-01-02T03:04:05Z"}}"#
    );
    let event_type: EventTypeOut = serde_json::from_str(&text).unwrap();
    assert_eq!(event_type.feature_flags, FeatureFlags(Some(vec!["x".to_owned()])));
    assert_eq!(event_type.schemas.as_ref().unwrap().get(), schemas);
    let written = serde_json::to_string(&event_type).unwrap();
    assert!(written.contains(schemas), "{written}");
    let written = write(&event_type);
    assert_eq!(written["featureFlag"], "x");
    assert_eq!(written["featureFlags"], json!(["x"]));

    let patch: EventTypePatch = read(json!({"featureFlags": null, "schemas": {"1": {}}}));
    assert_eq!(patch.feature_flags.0, Patch::Clear);
    assert_eq!(patch.schemas.value().unwrap().get(), r#"{"1":{}}"#);
    assert_eq!(
        write(&patch),
        json!({"featureFlags": null, "featureFlag": null, "schemas": {"1": {}}})
    );
}

#[test]
fn a_payload_keeps_its_bytes() {
    let payload = "{ \"b\" : 1.0,\n \"a\":\"\\u00e9\", \"b\":10000000000000000000000 }";
    let text = format!(
        r#"{{"eventType":"e","payload":{payload},"application":{{"name":"n","uid":"u","rateLimit":5}},
        "transformationsParams":{{"rawPayload":"<x/>","headers":{{"content-type":"text/xml"}}}}}}"#
    );
    let message: MessageIn = serde_json::from_str(&text).unwrap();
    assert_eq!(message.payload.get(), payload);
    assert_eq!(message.application.as_ref().unwrap().throttle_rate.0, Some(5));
    assert!(serde_json::to_string(&message).unwrap().contains(payload));
    let batch: BatchIn = serde_json::from_str(&format!(r#"{{"messages":[{text}]}}"#)).unwrap();
    assert_eq!(batch.messages[0].payload.get(), payload);
}

#[test]
fn a_message_always_has_an_object_as_payload() {
    let out = MessageOut {
        id: "msg_00000000000000000000000000".parse().unwrap(),
        event_type: "e".parse().unwrap(),
        event_id: None,
        payload: message::omitted_payload(),
        channels: None,
        tags: None,
        deliver_at: None,
        timestamp: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    let expected = json!({
        "id": "msg_00000000000000000000000000",
        "eventType": "e",
        "payload": {},
        "timestamp": "2026-01-02T03:04:05Z",
    });
    assert_eq!(write(&out), expected);
    assert_eq!(message::expired().get(), r#"{"expired":true}"#);
    assert_eq!(message::raw("a\"").get(), r#"{"rawPayload":"a\""}"#);
}

#[test]
fn a_status_is_a_number_with_a_text() {
    for (status, number, word) in [
        (MessageStatus::Success, 0, "success"),
        (MessageStatus::Pending, 1, "pending"),
        (MessageStatus::Fail, 2, "fail"),
        (MessageStatus::Sending, 3, "sending"),
        (MessageStatus::Canceled, 4, "canceled"),
    ] {
        assert_eq!(write(&status), json!(number));
        assert_eq!(read::<MessageStatus>(json!(number)), status);
        assert_eq!(write(&status.text()), json!(word));
    }
    assert!(read_error::<MessageStatus>(&json!(5)).contains("expected one of 0 1 2 3 4"));
    assert_eq!(MessageStatus::Canceled.without_canceled(), MessageStatus::Fail);
    assert_eq!(MessageStatus::Fail.without_canceled(), MessageStatus::Fail);
}

#[test]
fn a_list_has_both_iterators_even_if_they_are_null() {
    let list: ListResponse<ApplicationOut> =
        ListResponse { data: vec![], iterator: None, prev_iterator: None, done: true };
    let expected = json!({"data": [], "iterator": null, "prevIterator": null, "done": true});
    assert_eq!(write(&list), expected);
}

#[test]
fn an_operational_event_contains_its_type() {
    let event = OperationalEvent::EndpointDisabled(EndpointDisabledData {
        app_id: "app_00000000000000000000000000".parse().unwrap(),
        app_uid: None,
        endpoint_id: "ep_00000000000000000000000000".parse().unwrap(),
        endpoint_uid: Some("mine".parse().unwrap()),
        fail_since: "2026-01-02T03:04:05Z".parse().unwrap(),
        trigger: DisabledTrigger::Automatic,
    });
    let expected = json!({
        "type": event.name(),
        "data": {
            "appId": "app_00000000000000000000000000",
            "endpointId": "ep_00000000000000000000000000",
            "endpointUid": "mine",
            "failSince": "2026-01-02T03:04:05Z",
            "trigger": "automatic",
        },
    });
    assert_eq!(write(&event), expected);
    assert_eq!(read::<OperationalEvent>(expected), event);
}
