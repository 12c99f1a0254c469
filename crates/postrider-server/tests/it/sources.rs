//! Sources.

use std::time::Duration;

use http::Method;
use postrider_core::message::Rejection;
use postrider_server::ApplicationGrant;
use serde_json::{Value, json};

use crate::world::{World, application_id, plain};

const ALL: &str = "/ingest/api/v1/source";

/// A source with every field that there is.
fn full() -> Value {
    json!({
        "name": "Payments",
        "uid": "payments",
        "type": "meta",
        "config": { "secret": "first", "verifyToken": "vt" },
        "metadata": { "team": "money" },
        "publicUrl": "https://hooks.example.com/in",
        "response": { "status": 202, "headers": { "content-type": "text/plain" }, "body": "ok" },
        "dedupeWindowSeconds": 60,
        "dedupeByBody": true,
        "toleranceSeconds": 30,
        "maxBody": 1000,
        "forwardHeaders": ["X-Kind", "x-kind", "accept"],
    })
}

fn generic(name: &str) -> Value {
    json!({ "name": name, "type": "generic-webhook" })
}

/// The source without what differs from run to run.
fn steady(mut source: Value) -> Value {
    let url = source["ingestUrl"].as_str().unwrap().to_owned();
    let token = url.strip_prefix("http://portal.example/in/").unwrap();
    assert_eq!(token.len(), 32);
    source["ingestUrl"] = url.replace(token, "TOKEN").into();
    plain(source)
}

#[tokio::test(start_paused = true)]
async fn a_source_has_all_its_fields_except_secrets() {
    let world = World::new();
    let created = world.post(ALL, full()).await.expect(201);
    let path = format!("{ALL}/{}", created["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.expect(200), created);
    assert_eq!(world.get(&format!("{ALL}/payments")).await.expect(200), created);
    let list = world.get(ALL).await.expect(200);
    assert_eq!((&list["data"], &list["done"]), (&json!([created]), &json!(true)));
    let open = world.post(ALL, generic("Open")).await.expect(201);
    insta::assert_json_snapshot!(json!([steady(created), steady(open)]));
}

#[tokio::test(start_paused = true)]
async fn a_patch_changes_only_its_fields_and_null_clears() {
    let world = World::new();
    let created = world.post(ALL, full()).await.expect(201);
    let path = format!("{ALL}/payments");
    let renamed = world.patch(&path, json!({ "name": "B" })).await.expect(200);
    assert_eq!(renamed, json_with(&created, "name", "B"));
    let nulls = json!({
        "uid": null,
        "publicUrl": null,
        "response": null,
        "toleranceSeconds": null,
        "maxBody": null,
        "forwardHeaders": null,
        "parameters": { "verify_token": null },
        "secrets": [],
        "disabled": true,
    });
    let cleared = world.patch(&path, nulls).await.expect(200);
    for field in ["uid", "publicUrl", "response", "toleranceSeconds", "maxBody", "forwardHeaders"] {
        assert_eq!(cleared.get(field), None, "{field}");
    }
    assert_eq!(cleared["parameterNames"], json!([]));
    assert_eq!((&cleared["secretCount"], &cleared["status"]), (&json!(0), &json!("disabled")));
    world.get(&path).await.expect(404);
}

fn json_with(value: &Value, field: &str, new: impl Into<Value>) -> Value {
    let mut value = value.clone();
    value[field] = new.into();
    value
}

#[tokio::test(start_paused = true)]
async fn a_source_without_a_secret_has_the_status_no_secret() {
    let world = World::new();
    let status = async |body: Value| {
        let mut body = body;
        body["name"] = "S".into();
        world.post(ALL, body).await.expect(201)["status"].clone()
    };
    assert_eq!(status(json!({ "type": "svix" })).await, "no-secret");
    assert_eq!(status(json!({ "type": "svix", "verification": "none" })).await, "ready");
    assert_eq!(status(json!({ "type": "svix", "secrets": ["whsec_c2VjcmV0"] })).await, "ready");
    assert_eq!(status(json!({ "type": "svix", "secrets": ["whsec_c2VjcmV0\n"] })).await, "ready");
    assert_eq!(status(json!({ "type": "svix", "disabled": true })).await, "disabled");
    assert_eq!(status(json!({ "type": "generic-webhook" })).await, "ready");
    assert_eq!(status(json!({ "type": "asana" })).await, "pending");
    assert_eq!(status(json!({ "type": "aws-sns" })).await, "ready");
    let meta = json!({ "type": "meta", "config": { "secret": "s" } });
    assert_eq!(status(meta.clone()).await, "no-parameter");
    let config = json!({ "secret": "s", "verifyToken": "v" });
    assert_eq!(status(json_with(&meta, "config", config)).await, "ready");
}

#[tokio::test(start_paused = true)]
async fn put_creates_under_the_uid_of_the_path_and_keeps_omitted_fields() {
    let world = World::new();
    let path = format!("{ALL}/payments");
    let body = json!({ "name": "A", "type": "svix", "config": { "secret": "whsec_c2VjcmV0" } });
    let created = world.put(&path, body).await.expect(201);
    assert_eq!(created["uid"], "payments");
    world.patch(&path, json!({ "dedupeWindowSeconds": 0 })).await.expect(200);
    let body = json!({ "name": "B", "uid": "payments", "type": "svix" });
    let replaced = world.put(&path, body).await.expect(200);
    let expected = json_with(&json_with(&created, "name", "B"), "dedupeWindowSeconds", 0);
    assert_eq!(replaced, expected);
    let other = json!({ "name": "B", "uid": "payments", "type": "generic-webhook" });
    let switched = world.put(&path, other).await.expect(200);
    assert_eq!((&switched["secretCount"], &switched["verification"]), (&json!(0), &json!("none")));
    let path = format!("{ALL}/{}", created["id"].as_str().unwrap());
    world.delete(&path).await.expect(204);
    world.put(&path, generic("A")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_provider_hidden_behind_the_generic_type_is_not_lost_by_a_put() {
    let world = World::new();
    let path = format!("{ALL}/hidden");
    let body = json!({
        "name": "A",
        "type": "standard-webhooks",
        "secrets": ["whsec_c2VjcmV0"],
    });
    let created = world.put(&path, body).await.expect(201);
    assert_eq!(
        (&created["type"], &created["provider"]),
        (&json!("generic-webhook"), &json!("standard-webhooks"))
    );
    assert_eq!(created["verification"], "required");
    let shown = json_with(&created, "dedupeByBody", true);
    assert_eq!(world.put(&path, shown.clone()).await.expect(200), shown);
    let back = json!({ "name": "A", "uid": "hidden", "type": "generic-webhook" });
    let refused = world.put(&path, back.clone()).await.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["body", "provider"]));
    let open = json_with(&back, "verification", "none");
    assert_eq!(world.put(&path, open).await.expect(200)["verification"], "none");
}

#[tokio::test(start_paused = true)]
async fn a_new_token_makes_a_new_url() {
    let world = World::new();
    let created = world.post(ALL, full()).await.expect(201);
    let path = format!("{ALL}/payments");
    let rotated = world.post(&format!("{path}/token/rotate"), Value::Null).await.expect(200);
    assert_ne!(rotated["ingestUrl"], created["ingestUrl"]);
    assert_eq!(world.get(&path).await.expect(200)["ingestUrl"], rotated["ingestUrl"]);
}

#[tokio::test(start_paused = true)]
async fn old_secrets_verify_until_their_grace_ends() {
    let world = World::new();
    world.post(ALL, full()).await.expect(201);
    let path = format!("{ALL}/payments/secret");
    let rotate = async |body: Value| world.post(&format!("{path}/rotate"), body).await;
    let keys = async || {
        let list = world.get(&path).await.expect(200)["secrets"].clone();
        let list = list.as_array().unwrap().clone();
        list.iter().map(|it| (it["key"].clone(), it.get("until").is_some())).collect::<Vec<_>>()
    };
    let first = "first";
    rotate(json!({ "secret": "second" })).await.expect(200);
    assert_eq!(keys().await, [(json!("second"), false), (json!(first), true)]);
    let shown = rotate(json!({ "secret": "third", "gracePeriodSeconds": 0 })).await.expect(200);
    assert_eq!(shown["secretCount"], 1);
    assert_eq!(keys().await, [(json!("third"), false)]);
    let pasted = json!({ "secret": " fourth\r\n", "gracePeriodSeconds": 0 });
    rotate(pasted).await.expect(200);
    assert_eq!(keys().await, [(json!("fourth"), false)]);
    rotate(json!({ "secret": " \n" })).await.expect(422);
    rotate(json!({ "secret": "" })).await.expect(422);
    rotate(json!({ "secret": "x", "gracePeriodSeconds": 604_801 })).await.expect(422);
    for _ in 0..9 {
        rotate(json!({ "secret": "more" })).await.expect(200);
    }
    assert_eq!(rotate(json!({ "secret": "x" })).await.expect(400)["code"], "too_many_keys");
}

#[tokio::test(start_paused = true)]
async fn deleting_a_source_deletes_its_own_application_and_no_other() {
    let world = World::new();
    let own = world.post(ALL, generic("A")).await.expect(201);
    let own_app = format!("/api/v1/app/{}", own["appId"].as_str().unwrap());
    let application = world.get(&own_app).await.expect(200);
    assert_eq!((&application["name"], &application["uid"]), (&own["name"], &own["id"]));
    let one = format!("{ALL}/{}", own["id"].as_str().unwrap());
    world.delete(&one).await.expect(204);
    world.get(&own_app).await.expect(404);
    world.delete(&one).await.expect(404);

    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let body = json_with(&json_with(&generic("A"), "appId", "a"), "uid", "s");
    let shared = world.post(ALL, body).await.expect(201);
    world.delete(&format!("{ALL}/s")).await.expect(204);
    world.get("/api/v1/app/a").await.expect(200);
    let body = json_with(&generic("A"), "appId", shared["appId"].clone());
    let again = world.post(ALL, body).await.id();
    world.delete("/api/v1/app/a").await.expect(204);
    world.get(&format!("{ALL}/{again}")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_two_sources_share_outlives_the_first() {
    let world = World::new();
    let first = world.post(ALL, generic("A")).await.expect(201);
    let body = json_with(&generic("B"), "appId", first["appId"].clone());
    let second = world.post(ALL, body).await.id();
    world.delete(&format!("{ALL}/{}", first["id"].as_str().unwrap())).await.expect(204);
    world.get(&format!("{ALL}/{second}")).await.expect(200);
    world.get(&format!("/api/v1/app/{}", first["appId"].as_str().unwrap())).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_uid_belongs_to_one_source_and_leaves_no_application_behind() {
    let world = World::new();
    world.post(ALL, full()).await.expect(201);
    world.post(ALL, full()).await.expect(409);
    let applications = world.get("/api/v1/app").await.expect(200);
    assert_eq!(applications["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_problems_of_a_source_are_listed_in_one_response() {
    let world = World::new();
    let types = [
        json!({ "name": "A", "type": "cron", "config": {} }),
        json!({ "name": "A", "type": "vgs", "config": { "secret": "s" } }),
        json!({ "name": "A", "type": "beehive" }),
        json!({ "name": "A", "type": "svix", "provider": "custom" }),
        json!({ "name": "A", "type": "svix", "config": { "secret": "s" }, "secrets": ["t"] }),
        json!({ "name": "A", "type": "custom" }),
        json!({ "name": "A", "type": "custom", "model": { "verify": { "scheme": "hmc" } } }),
        json!({ "name": "A", "type": "custom", "model": { "verify": [] } }),
        json!({ "name": "A", "type": "custom", "model": { "verify": { "scheme": "none" } } }),
        json!({ "name": "A", "type": "salesforce" }),
        json!({ "name": "A", "type": "generic-webhook", "verification": "required" }),
        json!({ "name": "A" }),
    ];
    let wrong = json!({
        "name": "",
        "uid": "src_1",
        "type": "svix",
        "model": {},
        "secrets": ["", "whsec_?", { "key": "k", "until": "2000-01-01T00:00:00Z" }],
        "parameters": { "Bad Name": "v", "fine": "" },
        "publicUrl": "ftp://x",
        "response": { "status": 500, "headers": { "webhook-id": "1" } },
        "dedupeWindowSeconds": 2_592_001,
        "toleranceSeconds": 0,
        "maxBody": 0,
        "forwardHeaders": ["a b"],
    });
    let mut told = Vec::new();
    for body in types.into_iter().chain([wrong, json_with(&generic("A"), "appId", "none")]) {
        let items = world.post(ALL, body).await.expect(422)["detail"].clone();
        let items = items.as_array().unwrap().clone();
        told.extend(items.iter().map(|it| format!("{} {}", it["loc"], it["msg"])));
    }
    insta::assert_json_snapshot!(told);
}

#[tokio::test(start_paused = true)]
async fn no_source_recognizes_repetitions_for_longer_than_they_are_stored() {
    const DAY: u32 = 24 * 60 * 60;
    let world = World::remembering(Duration::from_secs(DAY.into()));
    let created = world.post(ALL, generic("A")).await.expect(201);
    assert_eq!(created["dedupeWindowSeconds"], DAY);
    let path = format!("{ALL}/{}", created["id"].as_str().unwrap());
    let longer = json!({ "dedupeWindowSeconds": DAY + 1 });
    let refused = world.patch(&path, longer).await.expect(422);
    let expected = "must be at most 86400, which is this server's retention.duplicates";
    assert_eq!(refused["detail"][0]["msg"], expected);
    world.patch(&path, json!({ "dedupeWindowSeconds": DAY })).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_dashboard_token_sees_the_application_of_the_source() {
    let world = World::new();
    let source = world.post(ALL, full()).await.expect(201);
    let path = format!("{ALL}/payments/dashboard");
    let access = world.post(&path, json!({ "readOnly": true })).await.expect(200);
    let token = access["token"].as_str().unwrap();
    let base = format!("/api/v1/app/{}", source["appId"].as_str().unwrap());
    world.call_as(token, Method::GET, &base, None).await.expect(200);
    let endpoint = json!({ "url": "https://example.com/" });
    let endpoints = format!("{base}/endpoint");
    world.call_as(token, Method::POST, &endpoints, Some(&endpoint)).await.expect(403);
    world.call_as(token, Method::GET, &format!("{ALL}/payments"), None).await.expect(403);
    world.post(&path, json!({ "expiry": 1 })).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn endpoints_of_a_source_are_those_of_its_application() {
    let world = World::new();
    let source = world.post(ALL, full()).await.expect(201);
    let all = format!("{ALL}/payments/endpoint");
    let body = json!({ "url": "https://example.com/a", "uid": "e", "throttleRate": 5 });
    let created = world.post(&all, body).await.expect(201);
    let app = source["appId"].as_str().unwrap();
    let seen = world.get(&format!("/api/v1/app/{app}/endpoint/e")).await.expect(200);
    assert_eq!(seen, created);
    assert_eq!(world.get(&all).await.expect(200)["data"], json!([created]));
    let one = format!("{all}/e");
    assert_eq!(world.get(&one).await.expect(200), created);
    let body = json!({ "url": "https://example.com/b", "uid": "e" });
    assert_eq!(world.put(&one, body).await.expect(200)["url"], "https://example.com/b");
    let body = json!({ "url": "https://example.com/c" });
    assert_eq!(world.put(&format!("{all}/new"), body).await.expect(201)["uid"], "new");

    let headers = json!({ "headers": { "x-a": "1" } });
    world.put(&format!("{one}/headers"), headers).await.expect(204);
    let headers = world.get(&format!("{one}/headers")).await.expect(200);
    assert_eq!(headers, json!({ "headers": { "x-a": "1" }, "sensitive": [] }));

    let key = world.get(&format!("{one}/secret")).await.expect(200)["key"].clone();
    world.post(&format!("{one}/secret/rotate"), json!({})).await.expect(204);
    assert_ne!(world.get(&format!("{one}/secret")).await.expect(200)["key"], key);

    world.delete(&one).await.expect(204);
    world.get(&one).await.expect(404);
    world.get(&format!("{ALL}/none/endpoint")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn transformations_are_refused_and_shown_as_none() {
    let world = World::new();
    world.post(ALL, full()).await.expect(201);
    let all = format!("{ALL}/payments/endpoint");
    let body = json!({ "url": "https://example.com/a", "uid": "e" });
    world.post(&all, body).await.expect(201);
    let path = format!("{all}/e/transformation");
    let none = json!({ "code": null, "enabled": false, "variables": null });
    assert_eq!(world.get(&path).await.expect(200), none);
    world.patch(&path, none).await.expect(204);
    for wrong in [json!({ "code": "function" }), json!({ "enabled": true })] {
        world.patch(&path, wrong).await.expect(422);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_request_under_the_same_key_makes_one_source() {
    let world = World::new();
    let send = async |body: Value| {
        let request = http::Request::post(ALL)
            .header("authorization", format!("Bearer {}", world.token))
            .header("idempotency-key", "k")
            .body(body.to_string().into());
        world.send(request.unwrap()).await
    };
    let first = send(generic("A")).await.expect(201);
    assert_eq!(send(generic("A")).await.expect(201), first);
    send(generic("B")).await.expect(409);
    assert_eq!(world.get(ALL).await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rejected_requests_are_listed_page_by_page() {
    let world = World::new();
    let source = world.post(ALL, full()).await.expect(201);
    let rejection = |body: &'static [u8], reason: &str| Rejection {
        id: world.engine.clock().rejection_id(),
        source: source["id"].as_str().unwrap().parse().unwrap(),
        status: 401,
        reason: reason.to_owned(),
        method: "POST".to_owned(),
        target: "/?a=b".to_owned(),
        headers: [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        body: bytes::Bytes::from_static(body),
        duplicate_of: None,
    };
    let rejections = vec![
        rejection(b"{}", "no signature matches"),
        rejection(b"\xff\x00", "timestamp is too old"),
    ];
    world.engine.store().reject(rejections).await.unwrap();
    let oldest = format!("{ALL}/payments/log?order=ascending&limit=1");
    let first = world.get(&oldest).await.expect(200);
    assert_eq!(first["done"], false);
    let iterator = first["iterator"].as_str().unwrap();
    let second = world.get(&format!("{oldest}&iterator={iterator}")).await.expect(200);
    let both = json!([first["data"][0], second["data"][0]]);
    assert!(both[0]["id"].as_str().unwrap().starts_with("log"));
    let mut both = plain(both);
    for it in both.as_array_mut().unwrap() {
        it["id"] = "log".into();
    }
    insta::assert_json_snapshot!(both);
    let newest = world.get(&format!("{ALL}/payments/log")).await.expect(200);
    assert_eq!(newest["data"], json!([second["data"][0], first["data"][0]]));
    world.delete(&format!("{ALL}/payments")).await.expect(204);
    world.get(&format!("{ALL}/payments/log")).await.expect(404);
}

/// Every operation of sources is one of the organization alone, and leads nowhere from another.
#[tokio::test(start_paused = true)]
async fn operations_of_sources_require_the_organizations_token() {
    let world = World::new();
    let source = world.post(ALL, full()).await.expect(201);
    let body = json!({ "url": "https://example.com/a", "uid": "e" });
    world.post(&format!("{ALL}/payments/endpoint"), body).await.expect(201);
    let id = application_id(source["appId"].as_str().unwrap());
    let own = world.own_token(ApplicationGrant::full(id));
    let foreign = crate::world::token(&world.engine, "org_other", None);
    let document: Value = serde_json::from_str(&postrider_server::openapi()).unwrap();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/ingest/") {
            continue;
        }
        let path = path.replace("{source_id}", "payments").replace("{endpoint_id}", "e");
        for method in methods.as_object().unwrap().keys() {
            count += 1;
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let reply = world.call_as(&own, method.clone(), &path, Some(&json!({}))).await;
            assert_eq!(reply.status, 403, "{method} {path}");
            let reply = world.call_as("nonsense", method.clone(), &path, Some(&json!({}))).await;
            assert_eq!(reply.status, 401, "{method} {path}");
            if method == Method::GET && path.starts_with(&format!("{ALL}/")) {
                world.call_as(&foreign, method, &path, None).await.expect(404);
            }
        }
    }
    assert!(count > 20, "{count}");
}
