use super::*;

fn server(allows_writes: bool) -> McpServer {
    McpServer::new("1.2.3", allows_writes)
}

#[track_caller]
fn reply(server: &McpServer, message: &Value) -> Value {
    let step = server.receive(&message.to_string());
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    reply
}

#[expect(clippy::needless_pass_by_value, reason = "calls with literals are shorter")]
fn call(name: &str, arguments: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": name, "arguments": arguments } })
}

fn names(server: &McpServer) -> Vec<String> {
    let list = reply(server, &json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/list" }));
    let tools = list["result"]["tools"].as_array().unwrap();
    tools.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_client_gets_its_version_or_the_newest() {
    for (asked, expected) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-06-18", "2025-06-18"),
        ("2026-07-28", VERSIONS[0]),
        ("zzz", VERSIONS[0]),
    ] {
        let params = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": {} });
        let message =
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let found = reply(&server(false), &message);
        assert_eq!(found["id"], 0);
        assert_eq!(found["result"]["protocolVersion"], expected);
        assert_eq!(found["result"]["serverInfo"]["version"], "1.2.3");
    }
}

#[test]
fn messages_that_ask_for_nothing_get_nothing() {
    for message in [
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } }),
        json!({ "jsonrpc": "2.0", "id": 1, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1, "message": "" } }),
    ] {
        assert_eq!(server(true).receive(&message.to_string()), Step::Nothing, "{message}");
    }
}

#[test]
fn wrong_messages_get_the_codes_of_json_rpc() {
    let code = |line: &str| {
        let step = server(true).receive(line);
        let Step::Reply(reply) = step else { panic!("{step:?}") };
        reply["error"]["code"].as_i64().unwrap()
    };
    assert_eq!(code("{"), -32_700);
    assert_eq!(code("[]"), -32_600);
    assert_eq!(code("{}"), -32_600);
    assert_eq!(code(r#"{"id": null, "method": "ping"}"#), -32_600);
    assert_eq!(code(r#"{"id": 1, "method": "resources/list"}"#), -32_601);
    assert_eq!(code(r#"{"id": 1, "method": "tools/call", "params": {"name": "zzz"}}"#), -32_602);
    assert_eq!(code(r#"{"id": 1, "method": "tools/call"}"#), -32_602);
}

#[test]
fn tools_that_change_something_are_neither_listed_nor_called_unless_allowed() {
    let reading =
        ["overview", "find_messages", "explain_delivery", "rejected_requests", "verify_request"];
    assert_eq!(names(&server(false)), reading);
    let writing: Vec<_> = names(&server(true)).into_iter().skip(reading.len()).collect();
    assert_eq!(writing, ["send_test_event", "resend", "update_endpoint", "create_source"]);
    for name in writing {
        let refused = reply(&server(false), &call(&name, json!({})));
        assert_eq!(refused["error"]["code"], -32_602);
        assert!(refused["error"]["message"].as_str().unwrap().contains("--allow-writes"));
    }
}

#[test]
fn arguments_are_checked_and_the_reason_is_for_the_model() {
    let reason = |name: &str, arguments: Value| {
        let found = reply(&server(true), &call(name, arguments));
        assert_eq!(found["result"]["isError"], true, "{found}");
        found["result"]["content"][0]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason("find_messages", json!({})), "the argument `application` is missing");
    let unknown = reason("find_messages", json!({ "application": "a", "app": "a" }));
    assert!(unknown.starts_with("there is no argument `app`; there are: "), "{unknown}");
    let wrong = reason("find_messages", json!({ "application": "a", "limit": 999 }));
    assert_eq!(wrong, "the argument `limit` must be from 1 to 50");
    let wrong = reason("find_messages", json!({ "application": "a", "event_types": [1] }));
    assert_eq!(wrong, "the argument `event_types` must be of the type a list of strings");
    assert_eq!(reason("find_messages", json!([])), "the arguments must be an object");
    let right = server(false).receive(&call("overview", json!({})).to_string());
    assert_eq!(right, Step::Call { id: json!(7), tool: ToolName::Overview, arguments: Map::new() });
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
    for tool in all() {
        let required = tool.schema["required"].as_array().unwrap();
        let is_described =
            |it: &Value| tool.schema["properties"].get(it.as_str().unwrap()).is_some();
        assert!(required.iter().all(is_described), "{:?}", tool.name);
    }
}
