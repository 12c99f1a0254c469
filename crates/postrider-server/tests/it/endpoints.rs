//! Endpoints, their headers, and what can be done with them.

use postrider_core::catalog::Endpoint;
use postrider_store::{Expected, IdOrUid, Records};
use serde_json::{Value, json};

use crate::world::{World, application_id, plain};

const ONE: &str = "/api/v1/app/a/endpoint/e";

async fn world_with_endpoint() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["user.created", "user.deleted"]).await;
    let endpoint = json!({
        "url": "https://example.com/hook",
        "uid": "e",
        "description": "first",
        "eventTypes": ["user.created", "user.deleted"],
        "channels": ["one"],
        "throttleRate": 5,
        "metadata": { "k": "v" },
        "headers": { "X-Mine": "1", "Authorization": "Bearer x" },
    });
    world.post("/api/v1/app/a/endpoint", endpoint).await.expect(201);
    world
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_shows_all_its_settings_under_both_names() {
    let world = world_with_endpoint().await;
    insta::assert_json_snapshot!(plain(world.get(ONE).await.expect(200)));
}

#[tokio::test(start_paused = true)]
async fn null_clears_and_absence_keeps() {
    let world = world_with_endpoint().await;
    let before = world.get(ONE).await.expect(200);
    let kept = world.patch(ONE, json!({})).await.expect(200);
    assert_eq!(kept, before);
    let nulls = json!({ "eventTypes": null, "channels": null, "throttleRate": null });
    let cleared = world.patch(ONE, nulls).await.expect(200);
    for field in ["eventTypes", "filterTypes", "channels", "throttleRate", "rateLimit"] {
        assert_eq!(cleared.get(field), None, "{field}");
    }
    assert_eq!(cleared["metadata"], json!({ "k": "v" }));
    world.event_types(&["a.b"]).await;
    let renamed = json!({ "filterTypes": ["a.b"], "rateLimit": 9 });
    let set = world.patch(ONE, renamed).await.expect(200);
    assert_eq!((&set["eventTypes"], &set["throttleRate"]), (&json!(["a.b"]), &json!(9)));
    for field in ["url", "description", "disabled", "metadata"] {
        let error = world.patch(ONE, json!({ field: null })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", field]));
    }
}

#[tokio::test(start_paused = true)]
async fn order_and_strict_rate_are_kept_by_clients_that_do_not_know_them() {
    let world = world_with_endpoint().await;
    let before = world.get(ONE).await.expect(200);
    assert_eq!((&before["ordering"], &before["strictRate"]), (&json!("any"), &json!(false)));
    let asked = json!({ "ordering": "fifo", "strictRate": true });
    let set = world.patch(ONE, asked.clone()).await.expect(200);
    let replaced =
        world.put(ONE, json!({ "url": "https://example.com/x", "uid": "e" })).await.expect(200);
    for shown in [set, replaced] {
        assert_eq!((&shown["ordering"], &shown["strictRate"]), (&json!("fifo"), &json!(true)));
    }
    let any = json!({ "url": "https://example.com/x", "uid": "e", "ordering": "any" });
    assert_eq!(world.put(ONE, any).await.expect(200)["ordering"], "any");
    for (field, wrong) in [("ordering", json!("lifo")), ("strictRate", json!(null))] {
        let error = world.patch(ONE, json!({ field: wrong })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", field]));
    }
    let mut new = asked;
    new["url"] = json!("https://example.com/new");
    assert_eq!(world.post("/api/v1/app/a/endpoint", new).await.expect(201)["ordering"], "fifo");
}

#[tokio::test(start_paused = true)]
async fn certificates_to_trust_are_checked_and_kept() {
    let world = world_with_endpoint().await;
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = made().cert.pem();
    assert_eq!(world.get(ONE).await.expect(200).get("trustedCertificates"), None);
    let set = world.patch(ONE, json!({ "trustedCertificates": pem })).await.expect(200);
    let replaced =
        world.put(ONE, json!({ "url": "https://example.com/x", "uid": "e" })).await.expect(200);
    for shown in [set, replaced, world.get(ONE).await.expect(200)] {
        assert_eq!(shown["trustedCertificates"], json!(pem));
        assert_eq!(world.get(&format!("{ONE}/ca")).await.expect(200), json!({ "cert": pem }));
    }
    let both = pem.clone() + &made().cert.pem();
    let new = json!({ "url": "https://example.com/x", "uid": "e", "trustedCertificates": both });
    assert_eq!(world.put(ONE, new).await.expect(200)["trustedCertificates"], json!(both));
    for (wrong, reason) in [
        (String::new(), "holds no certificate in PEM"),
        ("MIIB".to_owned(), "holds no certificate in PEM"),
        (pem.replace("MII", "MIX"), "certificate 1 is not"),
        (pem.clone() + &made().signing_key.serialize_pem(), "has a private key"),
        (pem.repeat(40), "is longer than 16384 bytes"),
    ] {
        let body = json!({ "url": "https://example.com/y", "trustedCertificates": wrong });
        for error in [
            world.patch(ONE, json!({ "trustedCertificates": wrong })).await.expect(422),
            world.put(ONE, body.clone()).await.expect(422),
            world.post("/api/v1/app/a/endpoint", body).await.expect(422),
        ] {
            assert_eq!(error["detail"][0]["loc"], json!(["body", "trustedCertificates"]));
            let said = error["detail"][0]["msg"].as_str().unwrap();
            assert!(said.contains(reason), "{said}");
        }
    }
    let cleared = world.patch(ONE, json!({ "trustedCertificates": null })).await.expect(200);
    assert_eq!(cleared.get("trustedCertificates"), None);
}

#[tokio::test(start_paused = true)]
async fn put_replaces_all_settings_except_the_secret_and_the_headers() {
    let world = world_with_endpoint().await;
    let secret = world.get(&format!("{ONE}/secret")).await.expect(200);
    let new = json!({ "url": "https://example.com/new", "uid": "e" });
    let replaced = world.put(ONE, new.clone()).await.expect(200);
    assert_eq!(replaced["description"], "");
    assert_eq!(replaced.get("eventTypes"), None);
    assert_eq!(world.get(&format!("{ONE}/secret")).await.json, secret);
    let headers = world.get(&format!("{ONE}/headers")).await.expect(200);
    assert_eq!(headers, json!({ "headers": { "X-Mine": "1" }, "sensitive": ["Authorization"] }));
    let other = json!({ "url": "https://example.com/new" });
    let created = world.put("/api/v1/app/a/endpoint/f", other).await.expect(201);
    assert_eq!(created["uid"], "f");
    world.put("/api/v1/app/a/endpoint/g", new).await.expect(422);
}

#[tokio::test(start_paused = true)]
async fn headers_are_replaced_or_changed_one_by_one() {
    let world = world_with_endpoint().await;
    let path = format!("{ONE}/headers");
    let change =
        json!({ "headers": { "x-mine": "2", "X-New": "3" }, "deleteHeaders": ["authorization"] });
    world.patch(&path, change).await.expect(204);
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown, json!({ "headers": { "x-mine": "2", "X-New": "3" }, "sensitive": [] }));
    world.patch(&path, json!({ "headers": { "X-New": null } })).await.expect(204);
    assert_eq!(world.get(&path).await.json["headers"], json!({ "x-mine": "2" }));
    world.put(&path, json!({ "headers": {} })).await.expect(204);
    assert_eq!(world.get(&path).await.json["headers"], json!({}));
    for ours in ["webhook-id", "Svix-Signature", "host", "Content-Length", "content-type"] {
        let error = world.put(&path, json!({ "headers": { ours: "1" } })).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "headers", ours]));
    }
}

#[tokio::test(start_paused = true)]
async fn headers_that_are_reserved_by_cloud_providers_are_refused() {
    let world = world_with_endpoint().await;
    let path = format!("{ONE}/headers");
    for reserved in ["X-Svix-Id", "x-amz-date", "x-amzn-trace-id", "X-Goog-Api-Key", "x-google-a"] {
        let headers = json!({ "headers": { reserved: "1" } });
        let place = json!(["body", "headers", reserved]);
        let error = world.put(&path, headers.clone()).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], place);
        let error = world.patch(&path, headers).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], place);
        let new = json!({ "url": "https://example.com", "headers": { reserved: "1" } });
        let error = world.post("/api/v1/app/a/endpoint", new).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], place);
    }
    world.patch(&path, json!({ "headers": { "x-amazing": "1" } })).await.expect(204);
}

#[tokio::test(start_paused = true)]
async fn a_reserved_header_that_was_set_before_can_be_kept_and_removed() {
    let world = world_with_endpoint().await;
    let entry = world.get(ONE).await.expect(200);
    let id = entry["id"].as_str().unwrap().parse().unwrap();
    let application = application_id(world.get("/api/v1/app/a").await.json["id"].as_str().unwrap());
    let store = world.engine.store();
    let old = store.get::<Endpoint>(&application, &IdOrUid::Id(id)).await.unwrap().unwrap();
    let headers =
        postrider_core::catalog::AtRest::Clear([("x-amz-a".to_owned(), "1".to_owned())].into());
    let old = Endpoint { headers, ..old };
    store.save(&old, Expected::Any).await.unwrap();
    world.engine.changed(application).await.unwrap();
    let path = format!("{ONE}/headers");
    world.patch(&path, json!({ "headers": { "x-mine": "2" } })).await.expect(204);
    world.patch(&path, json!({ "headers": { "x-amz-a": "2" } })).await.expect(422);
    world.patch(&path, json!({ "headers": { "x-amz-a": null } })).await.expect(204);
    assert_eq!(world.get(&path).await.json["headers"], json!({ "x-mine": "2" }));
}

#[tokio::test(start_paused = true)]
async fn disabling_keeps_pending_deliveries_and_refuses_new_attempts() {
    let world = world_with_endpoint().await;
    world.receiver.answer(500);
    let event = json!({ "eventType": "user.created", "payload": {}, "channels": ["one"] });
    let message = world.post("/api/v1/app/a/msg", event).await.id();
    let attempts = format!("/api/v1/app/a/attempt/msg/{message}");
    world.until(&attempts, |it| it["data"][0]["status"] == 2).await;
    let disabled = world.patch(ONE, json!({ "disabled": true })).await.expect(200);
    assert_eq!(disabled["disabled"], true);
    let stats = world.get(&format!("{ONE}/stats")).await.expect(200);
    assert_eq!((&stats["sending"], &stats["canceled"]), (&json!(1), &json!(0)), "{stats}");
    let listed = world.get(&format!("{ONE}/msg")).await.expect(200);
    assert_eq!(listed["data"][0]["statusText"], "sending", "{listed}");
    let resend = format!("/api/v1/app/a/msg/{message}/endpoint/e/resend");
    let refused = world.post(&resend, json!(null)).await.expect(400);
    assert_eq!(refused["code"], "endpoint_disabled");
    world.receiver.answer(200);
    world.patch(ONE, json!({ "disabled": false })).await.expect(200);
    world.until(&format!("{ONE}/stats"), |it| it["success"] == 1).await;
}

/// What ended without a success is never shown as one.
#[tokio::test(start_paused = true)]
async fn a_cancelled_delivery_is_not_a_success() {
    let world = world_with_endpoint().await;
    world.receiver.answer(500);
    let event = json!({ "eventType": "user.created", "payload": {}, "channels": ["one"] });
    let message = world.post("/api/v1/app/a/msg", event).await.id();
    let attempts = format!("/api/v1/app/a/attempt/msg/{message}");
    world.until(&attempts, |it| it["data"][0]["status"] == 2).await;
    world.delete(&format!("/api/v1/app/a/msg/{message}/content")).await.expect(204);
    for path in [format!("{ONE}/msg"), format!("/api/v1/app/a/msg/{message}/endpoint")] {
        for (query, number, text) in [("", 2, "fail"), ("?expanded_statuses=true", 4, "canceled")] {
            let shown = world.get(&format!("{path}{query}")).await.expect(200);
            let row = &shown["data"][0];
            assert_eq!((&row["status"], &row["statusText"]), (&json!(number), &json!(text)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failed_deliveries_are_recovered_and_counted() {
    let world = world_with_endpoint().await;
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    world.receiver.answer(500);
    let event = json!({ "eventType": "user.created", "payload": {}, "channels": ["one"] });
    world.post("/api/v1/app/a/msg", event).await.expect(202);
    let stats = format!("{ONE}/stats");
    let failed = world.until(&stats, |it| it["fail"] == 1).await;
    world.receiver.answer(200);
    let task = world.post(&format!("{ONE}/recover"), since).await.expect(202);
    let recovered = world.until(&stats, |it| it["success"] == 1).await;
    insta::assert_json_snapshot!(plain(json!([failed, task, recovered])), { "[1].updatedAt" => "…" });
}

#[tokio::test(start_paused = true)]
async fn recovery_requires_a_valid_period() {
    let world = world_with_endpoint().await;
    for body in [
        json!({}),
        json!({ "since": "yesterday" }),
        json!({ "since": "2100-01-01T00:00:00Z" }),
        json!({ "since": "2025-01-02T00:00:00Z", "until": "2025-01-01T00:00:00Z" }),
    ] {
        let error = world.post(&format!("{ONE}/recover"), body).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["body", "since"]));
    }
}

#[tokio::test(start_paused = true)]
async fn times_of_bodies_are_read_in_the_forms_that_libraries_write() {
    let world = world_with_endpoint().await;
    for since in ["2025-01-01 10:00:00Z", "2025-01-01t10:00:00z", "2025-01-01 10:00:00 UTC"] {
        let body = json!({ "since": since, "until": "2025-01-02 10:00:00+00:00" });
        world.post(&format!("{ONE}/recover"), body).await.expect(202);
    }
    for deliver_at in ["2026-01-01 00:10:00Z", "2026-01-01 00:10:00 UTC"] {
        let event = json!({ "eventType": "x", "payload": {}, "deliverAt": deliver_at });
        let shown = world.post("/api/v1/app/a/msg", event).await.expect(202);
        assert_eq!(shown["deliverAt"], "2026-01-01T00:10:00Z");
    }
}

#[tokio::test(start_paused = true)]
async fn an_example_is_sent_to_one_endpoint_regardless_of_its_filter() {
    let world = world_with_endpoint().await;
    let other = json!({ "url": "https://example.com/other", "uid": "f" });
    world.post("/api/v1/app/a/endpoint", other).await.expect(201);
    let schema = json!({ "type": "object", "examples": [{ "n": 1 }, { "n": 2 }] });
    let event_type = json!({ "name": "odd.one", "description": "", "schemas": { "1": schema } });
    world.post("/api/v1/event-type", event_type).await.expect(201);
    let path = format!("{ONE}/send-example");
    let body = json!({ "eventType": "odd.one", "exampleIndex": 1 });
    let sent = world.post(&path, body).await.expect(200);
    assert_eq!(sent["payload"], json!({ "n": 2 }));
    let id = sent["id"].as_str().unwrap();
    let receivers = world.get(&format!("/api/v1/app/a/msg/{id}/endpoint")).await.expect(200);
    assert_eq!(uids(&receivers), ["e"]);
    let own = json!({ "eventType": "odd.one", "payload": { "own": true } });
    assert_eq!(world.post(&path, own).await.expect(200)["payload"], json!({ "own": true }));
    world.post(&path, json!({ "eventType": "unknown" })).await.expect(404);
    let beyond = json!({ "eventType": "odd.one", "exampleIndex": 9 });
    world.post(&path, beyond).await.expect(422);
    world.post(&path, json!({ "eventType": "svix.ping" })).await.expect(200);
}

fn uids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|it| it["uid"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_deleted_endpoint_cannot_be_restored() {
    let world = world_with_endpoint().await;
    world.delete(ONE).await.expect(204);
    let gone = world.get(ONE).await.expect(404);
    assert_eq!(gone["detail"], "endpoint not found");
    let again = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", again).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn a_uid_belongs_to_one_endpoint_of_the_application() {
    let world = world_with_endpoint().await;
    let again = json!({ "url": "https://example.com", "uid": "e" });
    world.post("/api/v1/app/a/endpoint", again.clone()).await.expect(409);
    world.post("/api/v1/app", json!({ "name": "B", "uid": "b" })).await.expect(201);
    world.post("/api/v1/app/b/endpoint", again).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn batches_pauses_and_limits_are_kept_by_clients_that_do_not_know_them() {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    let new = json!({
        "url": "https://example.com/x", "uid": "flow", "ordering": "fifo", "paused": true,
        "batch": { "size": 10, "maxWaitSeconds": 5 }, "skipAfter": 3,
    });
    let created = world.post("/api/v1/app/a/endpoint", new).await.expect(201);
    let one = "/api/v1/app/a/endpoint/flow";
    let plain = json!({ "url": "https://example.com/y", "uid": "flow" });
    let replaced = world.put(one, plain).await.expect(200);
    for field in ["paused", "batch", "skipAfter"] {
        assert_eq!(replaced[field], created[field], "{field}");
    }
    assert_eq!(replaced["batch"], json!({ "size": 10, "maxWaitSeconds": 5 }));
    let reset = json!({ "paused": false, "batch": null, "skipAfter": null });
    let reset = world.patch(one, reset).await.expect(200);
    for field in ["paused", "batch", "skipAfter"] {
        assert_eq!(reset.get(field), None, "{field}");
    }
    for wrong in [
        json!({ "batch": { "size": 0 } }),
        json!({ "batch": { "size": 1, "maxWaitSeconds": 301 } }),
        json!({ "batch": { "size": 1, "wait": 1 } }),
        json!({ "skipAfter": 10_001 }),
        json!({ "skipAfter": 1, "ordering": "any" }),
        json!({ "paused": null }),
    ] {
        world.patch(one, wrong).await.expect(422);
    }
}
