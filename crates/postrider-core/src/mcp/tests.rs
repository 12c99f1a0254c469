use serde_json::json;

use super::*;

fn names(allows_writes: bool) -> Vec<&'static str> {
    offered(allows_writes).into_iter().map(|it| it.name.as_str()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "calls with literals are shorter")]
fn check(name: &str, arguments: Value, allows_writes: bool) -> Result<ToolName, CallError> {
    check_call(name, arguments.as_object().unwrap(), allows_writes)
}

#[test]
fn tools_that_change_something_are_neither_offered_nor_called_unless_allowed() {
    let reading =
        ["overview", "find_messages", "explain_delivery", "rejected_requests", "verify_request"];
    assert_eq!(names(false), reading);
    let writing: Vec<_> = names(true).into_iter().skip(reading.len()).collect();
    assert_eq!(writing, ["send_test_event", "resend", "update_endpoint", "create_source"]);
    for name in writing {
        let refused = check(name, json!({}), false);
        let Err(CallError::Refused(reason)) = refused else { panic!("{refused:?}") };
        assert!(reason.contains("--allow-writes"), "{reason}");
        assert!(matches!(check(name, json!({}), true), Err(CallError::Arguments(_))));
    }
    assert!(matches!(check("zzz", json!({}), true), Err(CallError::Refused(_))));
}

#[test]
fn arguments_are_checked_and_the_reason_is_for_the_model() {
    let reason = |arguments: Value| {
        let checked = check("find_messages", arguments, true);
        let Err(CallError::Arguments(reason)) = checked else { panic!("{checked:?}") };
        reason
    };
    assert_eq!(reason(json!({})), "the argument `application` is missing");
    let unknown = reason(json!({ "application": "a", "app": "a" }));
    assert!(unknown.starts_with("there is no argument `app`; there are: "), "{unknown}");
    let wrong = reason(json!({ "application": "a", "limit": 999 }));
    assert_eq!(wrong, "the argument `limit` must be from 1 to 50");
    let wrong = reason(json!({ "application": "a", "event_types": [1] }));
    assert_eq!(wrong, "the argument `event_types` must be of the type a list of strings");
    assert_eq!(check("overview", json!({}), false), Ok(ToolName::Overview));
}

#[test]
fn results_have_a_limited_size_and_no_credentials_of_urls() {
    let long = json!({ "description": "x".repeat(10_000), "url": "https://a.example/x?token=s", "none": null });
    let found = pick(&long, &["description", "url", "none", "absent"]);
    assert!(found["description"].as_str().unwrap().len() < 600);
    assert_eq!(found["url"], "https://a.example/x?***");
    assert_eq!(found.len(), 2);
    assert_eq!(safe_url("https://hooks.slack.com/services/T0/B0/s"), "https://hooks.slack.com/***");
    assert_eq!(safe_url("polling:/"), "polling:/");
    let payload = untrusted(&json!({ "a": "é".repeat(9_000) }));
    assert!(payload.as_str().unwrap().contains("more bytes are not shown"));
}

#[test]
fn every_tool_has_a_schema_for_each_required_argument() {
    for tool in offered(true) {
        let required = tool.schema["required"].as_array().unwrap();
        let is_described =
            |it: &Value| tool.schema["properties"].get(it.as_str().unwrap()).is_some();
        assert!(required.iter().all(is_described), "{:?}", tool.name);
    }
}
