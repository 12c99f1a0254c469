//! Transformations of endpoints, and connectors.
//!
//! The code runs in threads of this process. The clock is not paused, because it would jump ahead
//! while they work.

use http::Method;
use postrider::api::{Capability, EndpointKind};
use postrider_core::{
    connector_template,
    transformation::{Form, Shaped, argument::READ_ONLY, result},
};
use postrider_sandbox::{Launch, Run, Sandbox, SandboxOptions, Script};
use postrider_server::ApplicationGrant;
use serde_json::{Value, json};

use crate::world::{World, application_id};

const ENDPOINT: &str = "/api/v1/app/a/endpoint/e";

/// An application with an endpoint.
async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let endpoint = json!({ "url": "https://example.com/hook", "uid": "e",
        "headers": { "x-own": "1" } });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

fn path(rest: &str) -> String {
    format!("{ENDPOINT}/{rest}")
}

async fn transform(world: &World, code: &str) {
    let body = json!({ "code": code, "enabled": true });
    world.patch(&path("transformation"), body).await.expect(204);
}

/// Publishes an event, and returns its first attempt.
async fn attempt(world: &World, payload: Value) -> Value {
    let event = json!({ "eventType": "invoice.paid", "payload": payload });
    let message = world.post("/api/v1/app/a/msg", event).await.id();
    let path = format!("/api/v1/app/a/attempt/msg/{message}");
    let found = world.until(&path, |it| !it["data"].as_array().unwrap().is_empty()).await;
    found["data"][0].clone()
}

fn calls(world: &World) -> Vec<http::Request<bytes::Bytes>> {
    std::mem::take(&mut *world.receiver.calls.lock().unwrap())
}

#[tokio::test]
async fn a_transformed_request_is_signed_sent_and_recorded() {
    let world = world().await;
    let code = "function handler(webhook) {
        console.log('type', webhook.eventType);
        webhook.method = 'PUT';
        webhook.url = 'https://example.org/other';
        webhook.headers = { 'x-own': '2', authorization: 'Bearer ' + webhook.env.KEY };
        webhook.payload = { text: 'Paid ' + webhook.payload.amount };
        return webhook;
    }";
    let body = json!({ "code": code, "enabled": true, "variables": { "KEY": "secret" } });
    world.patch(&path("transformation"), body).await.expect(204);
    let attempt = attempt(&world, json!({ "amount": 7 })).await;
    assert_eq!(attempt["status"], 0, "{attempt}");
    assert_eq!(attempt["url"], "https://example.org/other");
    assert_eq!(
        attempt["transformation"],
        json!({
            "cancelled": false,
            "console": "type invoice.paid\n",
            "request": {
                "method": "PUT",
                "url": "https://example.org/other",
                "headers": [["authorization", "***"], ["x-own", "2"]],
                "body": r#"{"text":"Paid 7"}"#,
                "isTruncated": false,
            },
        })
    );
    let [call] = &*calls(&world) else { panic!("one call") };
    assert_eq!((call.method(), call.uri().path()), (&Method::PUT, "/other"));
    assert_eq!(&**call.body(), br#"{"text":"Paid 7"}"#);
    assert_eq!(call.headers()["host"], "example.org");
    assert_eq!(call.headers()["x-own"], "2");
    assert_eq!(call.headers()["authorization"], "Bearer secret");
    let secret = world.get(&path("secret")).await.expect(200);
    let secret: postrider::signature::Secret = secret["key"].as_str().unwrap().parse().unwrap();
    let (id, at) = (&call.headers()["webhook-id"], &call.headers()["webhook-timestamp"]);
    let at = at.to_str().unwrap().parse().unwrap();
    let expected = secret.sign(id.to_str().unwrap(), at, call.body());
    assert_eq!(call.headers()["webhook-signature"], expected);
    let headers = format!(
        "/api/v1/app/a/msg/{}/attempt/{}/headers",
        attempt["msgId"].as_str().unwrap(),
        attempt["id"].as_str().unwrap()
    );
    let headers = world.get(&headers).await.expect(200);
    assert_eq!(headers["sentHeaders"]["x-own"], "2");
    assert_eq!(headers["sentHeaders"]["webhook-signature"], expected);
    assert_eq!(headers["sensitive"], json!(["authorization"]));
    let names = headers["responseHeaders"].to_string();
    assert!(!names.contains("transformation"), "{names}");
}

#[tokio::test]
async fn a_cancelled_delivery_sends_nothing_and_is_no_failure() {
    let world = world().await;
    transform(&world, "function handler(webhook) { return { cancel: true } }").await;
    let attempt = attempt(&world, json!({})).await;
    assert_eq!(
        (&attempt["status"], &attempt["transformation"]["cancelled"]),
        (&json!(0), &json!(true))
    );
    assert!(attempt["response"].as_str().unwrap().contains("cancelled by the transformation"));
    assert_eq!(calls(&world).len(), 0);
}

#[tokio::test]
async fn a_failed_transformation_is_a_failed_attempt_with_its_place() {
    let world = world().await;
    for (code, expected) in [
        ("function handler(webhook) {\n  return webhook.payload.a.b;\n}", "line 2"),
        ("function handler(webhook) { for (;;); }", "longer than"),
        ("function handler(webhook) { return { payload: 1, url: 'ftp://x' } }", "`url`: "),
        (
            "function handler(webhook) { return { payload: 1, url: 'http://portal.example/in/x' } }",
            "URL of this server",
        ),
        ("function handler(webhook) { return 7 }", "not an object"),
        ("function handler(webhook) { console.log('hi'); throw new Error('no') }", "no"),
    ] {
        transform(&world, code).await;
        let attempt = attempt(&world, json!({})).await;
        let response = attempt["response"].as_str().unwrap();
        assert!(response.contains(expected), "{code}: {response}");
        assert_eq!((&attempt["status"], &attempt["responseStatusCode"]), (&json!(2), &json!(0)));
        let said = attempt["transformation"]["console"].as_str().unwrap_or_default();
        assert_eq!(said.contains("hi"), code.contains("hi"), "{attempt}");
    }
    assert_eq!(calls(&world).len(), 0);
    let found = world.get("/api/v1/attempt?cause=transformation").await.expect(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_transformation_is_shown_without_its_variables_and_can_be_removed() {
    let world = world().await;
    let empty = world.get(&path("transformation")).await.expect(200);
    assert_eq!(empty, json!({ "code": null, "enabled": false, "variables": null }));
    let code = "function handler(webhook) { return webhook }";
    let body = json!({ "code": code, "enabled": true, "variables": { "A": "1", "B": "2" } });
    world.patch(&path("transformation"), body).await.expect(204);
    let shown = world.get(&path("transformation")).await.expect(200);
    assert_eq!((&shown["code"], &shown["enabled"]), (&json!(code), &json!(true)));
    assert_eq!(shown["variables"], json!({ "A": "***", "B": "***" }));
    assert!(shown["updatedAt"].is_string());
    // What is masked stays.
    let body = json!({ "variables": { "A": "***", "C": "3" } });
    world.patch(&path("transformation"), body).await.expect(204);
    let simulated = json!({ "code": "function handler(it) { it.payload = it.env; return it }",
        "eventType": "x", "payload": {} });
    let made = world.post(&path("transformation/simulate"), simulated).await.expect(200);
    assert_eq!(made["payload"], r#"{"A":"1","C":"3"}"#);
    // A replaced endpoint keeps it.
    world.put(ENDPOINT, json!({ "url": "https://example.com/new", "uid": "e" })).await.expect(200);
    assert_eq!(world.get(&path("transformation")).await.expect(200)["code"], code);
    let body = json!({ "code": null, "enabled": false, "variables": null });
    world.patch(&path("transformation"), body).await.expect(204);
    assert_eq!(world.get(&path("transformation")).await.expect(200), empty);
}

#[tokio::test]
async fn what_cannot_run_is_not_saved() {
    let world = world().await;
    for (body, place, part) in [
        (json!({ "code": "function handler(" }), "code", "line"),
        (json!({ "code": "const nothing = 1" }), "code", "handler"),
        (json!({ "code": "short" }), "code", "10 to 51200"),
        (json!({ "code": " ".repeat(60_000) }), "code", "10 to 51200"),
        (json!({ "enabled": true }), "enabled", "needs `code`"),
        (json!({ "variables": { "A": "***" } }), "A", "no value to keep"),
        (json!({ "connector": "none" }), "connector", "no such connector"),
    ] {
        let error = world.patch(&path("transformation"), body).await.expect(422);
        let problem = &error["detail"][0];
        assert_eq!(problem["loc"].as_array().unwrap().last().unwrap(), place, "{error}");
        assert!(problem["msg"].as_str().unwrap().contains(part), "{error}");
    }
}

#[tokio::test]
async fn code_is_tried_without_an_attempt() {
    let world = world().await;
    let body = json!({ "code": "function handler(it) { console.log(it.channels[0]); \
        it.payload.more = it.url; it.headers = { 'x-a': '1' }; return it }",
        "eventType": "invoice.paid", "channels": ["c"], "payload": { "a": 1 } });
    for path in [path("transformation/simulate"), "/api/v1/connector/simulate".to_owned()] {
        let made = world.post(&path, body.clone()).await.expect(200);
        assert_eq!((&made["cancel"], &made["method"]), (&json!(false), &json!("POST")));
        let url = made["url"].as_str().unwrap();
        assert_eq!(made["payload"], format!(r#"{{"a":1,"more":"{url}"}}"#));
        assert_eq!((&made["headers"]["x-a"], &made["console"]), (&json!("1"), &json!("c\n")));
    }
    let thrown = json!({ "code": "function handler(it) {\n throw new Error('no') }",
        "eventType": "x", "payload": {} });
    let error = world.post(&path("transformation/simulate"), thrown).await.expect(422);
    assert!(error["detail"][0]["msg"].as_str().unwrap().contains("line 2"), "{error}");
    assert_eq!(calls(&world).len(), 0);
}

#[tokio::test]
async fn a_test_delivery_shows_what_the_transformation_made() {
    let world = world().await;
    transform(&world, "function handler(it) { it.payload = 'text'; return it }").await;
    let tested = world.post(&path("test"), json!({})).await.expect(200);
    assert_eq!(
        (&tested["success"], &tested["transformation"]["request"]["body"]),
        (&json!(true), &json!("text"))
    );
    transform(&world, "function handler(it) { return { cancel: true } }").await;
    let tested = world.post(&path("test"), json!({})).await.expect(200);
    assert!(tested["detail"].as_str().unwrap().contains("cancelled"), "{tested}");
    assert_eq!(tested.get("response"), None);
    assert_eq!(calls(&world).len(), 1);
}

#[tokio::test]
async fn destinations_transform_lists_of_events() {
    let world = world().await;
    let destination = json!({ "type": "fifoEndpoint", "uid": "d",
        "config": { "url": "https://example.com/d" } });
    world.post("/api/v1/app/a/destination", destination).await.expect(201);
    world.delete(ENDPOINT).await;
    let path = "/api/v1/app/a/destination/d/transformation";
    let code =
        "function handler({ events }) { return { requestBody: events.map(it => it.payload) } }";
    assert_eq!(world.patch(path, json!({ "code": code })).await.expect(200), json!({}));
    let shown = world.get(path).await.expect(200);
    assert_eq!(shown, json!({ "code": code, "enabled": true }));
    let attempt = attempt(&world, json!({ "a": 1 })).await;
    assert_eq!(attempt["transformation"]["request"]["body"], r#"[{"a":1}]"#);
    world.patch(path, json!({ "code": null })).await.expect(200);
    assert_eq!(world.get(path).await.expect(200), json!({ "code": null, "enabled": false }));
}

#[tokio::test]
async fn connectors_are_managed_and_their_code_is_copied() {
    let world = world().await;
    let code = "function handler(it) { it.payload = { text: 'x' }; return it }";
    let body = json!({ "name": "Mine", "uid": "mine", "transformation": code,
        "allowedEventTypes": ["invoice.paid"], "instructions": "Paste the URL." });
    let created = world.post("/api/v1/connector", body).await.expect(201);
    assert!(created["id"].as_str().unwrap().starts_with("trtmpl_"), "{created}");
    assert_eq!((&created["kind"], &created["productType"]), (&json!("Custom"), &json!("Dispatch")));
    let listed = world.get("/api/v1/connector?product_type=Dispatch").await.expect(200);
    assert_eq!(listed["data"], json!([created]));
    let listed = world.get("/api/v1/connector?product_type=Stream").await.expect(200);
    assert_eq!(listed["data"], json!([]));
    let wrong = json!({ "name": "X", "transformation": "function handler(" });
    let error = world.post("/api/v1/connector", wrong).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "transformation"]));
    assert_eq!(world.get(&path("connector")).await.status, 204);
    let body = json!({ "connector": "mine", "enabled": true });
    world.patch(&path("transformation"), body).await.expect(204);
    assert_eq!(world.get(&path("transformation")).await.expect(200)["code"], code);
    assert_eq!(world.get(&path("connector")).await.expect(200)["uid"], "mine");
    let patched = json!({ "kind": "Slack", "allowedEventTypes": null, "name": "New" });
    let patched = world.patch("/api/v1/connector/mine", patched).await.expect(200);
    assert_eq!((&patched["kind"], &patched["name"]), (&json!("Slack"), &json!("New")));
    assert_eq!(patched.get("allowedEventTypes"), None);
    let replaced = json!({ "name": "Other", "transformation": code });
    let replaced = world.put("/api/v1/connector/mine", replaced).await.expect(200);
    assert_eq!((&replaced["id"], &replaced["kind"]), (&created["id"], &json!("Custom")));
    let options = "/api/v1/connector/mine/options";
    assert_eq!(world.get(options).await.status, 204);
    let body = json!({ "kind": "Custom", "options": { "authenticationMethod": "HttpBearer",
        "defaultUrl": "https://example.com/" } });
    assert_eq!(world.put(options, body.clone()).await.expect(200), body);
    assert_eq!(world.get(options).await.expect(200), body);
    world.put(options, json!({ "kind": "Slack" })).await.expect(422);
    let new = json!({ "name": "By uid", "transformation": code });
    let new = world.put("/api/v1/connector/other", new).await.expect(201);
    assert_eq!(new["uid"], "other");
    assert_eq!(world.delete("/api/v1/connector/mine").await.status, 204);
    world.get("/api/v1/connector/mine").await.expect(404);
    assert_eq!(world.get(&path("connector")).await.status, 204);
}

#[tokio::test]
async fn customers_choose_among_the_connectors_that_they_may_see() {
    let world = world().await;
    let code = "function handler(it) { return it }";
    for (uid, flags) in [("all", json!(null)), ("beta", json!(["beta"])), ("other", json!(["x"]))] {
        let body =
            json!({ "name": uid, "uid": uid, "transformation": code, "featureFlags": flags });
        world.post("/api/v1/connector", body).await.expect(201);
    }
    let app = world.get("/api/v1/app/a").await.id();
    let token = |capability| {
        let grant = ApplicationGrant::full(application_id(&app));
        let capabilities = Some([Capability::ViewBase, capability].into());
        let feature_flags = ["beta".to_owned()].into();
        world.own_token(ApplicationGrant { capabilities, feature_flags, ..grant })
    };
    let token_of_others = token(Capability::ManageEndpoint);
    let token = token(Capability::ManageTransformations);
    let get = async |path: &str| world.call_as(&token, Method::GET, path, None).await;
    let listed = get("/api/v1/connector").await.expect(200);
    let uids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|it| &it["uid"]).collect();
    assert_eq!(uids, ["beta", "all"]);
    assert_eq!(get("/api/v1/connector/beta").await.expect(200)["name"], "beta");
    get("/api/v1/connector/other").await.expect(404);
    let path = path("transformation");
    for (connector, status) in [("beta", 204), ("other", 422)] {
        let body = json!({ "connector": connector });
        let reply = world.call_as(&token, Method::PATCH, &path, Some(&body)).await;
        assert_eq!(reply.status, status, "{}", reply.text);
    }
    let path = "/api/v1/connector";
    world.call_as(&token_of_others, Method::GET, path, None).await.expect(403);
}

#[tokio::test]
async fn every_template_makes_what_its_service_documents() {
    let examples: Value =
        serde_json::from_str(include_str!("../../../postrider-core/data/connectors/expected.json"))
            .unwrap();
    let sandbox = Sandbox::new(SandboxOptions::new(Launch::Thread));
    for template in connector_template::all() {
        let kind = serde_json::to_value(template.kind).unwrap();
        let mut examples = examples.as_array().unwrap().iter();
        let example = examples.find(|it| it["kind"] == kind).expect("each has an example");
        let input = &example["input"];
        let argument = json!({ "method": "POST", "url": input["url"], "payload": input["payload"],
            "eventType": input["eventType"], "channels": [], "env": input["env"],
            "transformationsParams": { "headers": {} } });
        let run = Run {
            owner: 1,
            script: Script::new(template.transformation),
            argument: argument.to_string().into(),
            read_only: READ_ONLY,
        };
        let returned = sandbox.run(run).await.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        let value: Value = serde_json::from_slice(&returned.value).unwrap();
        assert_eq!(value, example["output"], "{kind}");
        let read = result::read(Form::Single, EndpointKind::Http, &returned.value);
        assert!(matches!(read, Ok(Shaped::Request(_))), "{kind}: {read:?}");
    }
    sandbox.shut_down().await;
}
