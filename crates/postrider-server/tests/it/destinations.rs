//! The hosted API's destinations.

use postrider_core::catalog::Endpoint;
use postrider_store::{IdOrUid, Records};
use serde_json::{Value, json};

use crate::world::{World, application_id};

const ALL: &str = "/api/v1/app/a/destination";
const ONE: &str = "/api/v1/app/a/destination/d";

async fn world() -> World {
    let world = World::new();
    world.post("/api/v1/app", json!({ "name": "A", "uid": "a" })).await.expect(201);
    world.event_types(&["paid"]).await;
    world
}

fn fifo() -> Value {
    let config = json!({
        "url": "https://example.com/fifo", "headers": { "x-a": "1", "authorization": "secret" },
        "key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    });
    json!({ "type": "fifoEndpoint", "config": config, "uid": "d", "eventTypes": ["paid"] })
}

fn aws(field: &str, value: &str) -> Value {
    json!({
        field: value, "region": "eu-central-1", "accessKeyId": "id", "secretAccessKey": "hunter2",
    })
}

/// A destination of each type that is a kind, with the configuration that is shown.
fn kinds() -> Vec<(Value, Value)> {
    let shown = |mut config: Value| {
        let fields = config.as_object_mut().unwrap();
        for secret in ["secretAccessKey", "password"] {
            fields.remove(secret);
        }
        config
    };
    let destination = |kind: &str, config: Value| {
        (json!({ "type": kind, "config": config, "uid": "d" }), shown(config))
    };
    let queue = "https://sqs.eu-central-1.amazonaws.com/1/q";
    let (rabbit, mut rabbit_shown) = destination(
        "rabbitMq",
        json!({ "uri": "amqp://u:hunter2@rabbit.example/%2F", "routingKey": "events" }),
    );
    rabbit_shown["uri"] = json!("amqp://u:***@rabbit.example/%2F");
    rabbit_shown["mandatory"] = json!(true);
    let (postgres, mut postgres_shown) = destination(
        "postgres",
        json!({ "url": "postgres://u@db.example/shop", "password": "hunter2" }),
    );
    postgres_shown["tableName"] = json!("events");
    vec![
        destination("amazonS3", aws("bucket", "b-1")),
        destination("sqs", aws("queueUrl", queue)),
        destination("sns", aws("topicArn", "arn:aws:sns:eu-central-1:1:t")),
        (rabbit, rabbit_shown),
        (postgres, postgres_shown),
    ]
}

/// The locations of the problems in a response.
fn places(error: &Value) -> Vec<String> {
    let place = |it: &Value| {
        let segments = it["loc"].as_array().unwrap().iter();
        segments.map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join(".")
    };
    error["detail"].as_array().unwrap().iter().map(place).collect()
}

#[tokio::test(start_paused = true)]
async fn a_url_that_is_called_in_order_is_a_destination() {
    let world = world().await;
    let created = world.post(ALL, fifo()).await.expect(201);
    let id = created["id"].as_str().unwrap();
    assert!(id.starts_with("sink_") && id.len() == 27, "{id}");
    assert_eq!(created["type"], "fifoEndpoint");
    assert_eq!(created["status"], "enabled");
    assert_eq!((&created["batchSize"], &created["maxWaitSecs"]), (&json!(100), &json!(0)));
    assert_eq!(created["currentIterator"], "");
    assert_eq!(created["eventTypes"], json!(["paid"]));
    let headers = json!({ "headers": { "x-a": "1" }, "sensitive": ["authorization"] });
    let config = json!({ "url": "https://example.com/fifo", "headers": headers });
    assert_eq!(created["config"], config);
    assert_eq!(world.get(&format!("{ALL}/{id}")).await.expect(200), created);
    assert_eq!(world.get(ALL).await.expect(200)["data"], json!([created]));
    // It is an endpoint, too.
    let endpoint = world.get("/api/v1/app/a/endpoint/d").await.expect(200);
    assert_eq!((&endpoint["kind"], &endpoint["ordering"]), (&json!("http"), &json!("fifo")));
    assert_eq!(endpoint["batch"], json!({ "size": 100, "maxWaitSeconds": 0 }));
    assert_eq!(endpoint["skipAfter"], 0, "it is retried until somebody skips it");
    let secret = world.get(&format!("{ONE}/secret")).await.expect(200);
    assert_eq!(secret["key"], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let rotated = world.post(&format!("{ONE}/secret/rotate"), json!({})).await.expect(200);
    assert_ne!(rotated["key"], secret["key"]);
    let change = json!({ "headers": { "x-a": null, "x-b": "2" } });
    let changed = world.patch(&format!("{ONE}/headers"), change).await.expect(200);
    assert_eq!(changed["headers"], json!({ "x-b": "2" }));
    assert_eq!(world.get(&format!("{ONE}/headers")).await.expect(200), changed);
    let patch = json!({
        "type": "fifoEndpoint", "config": { "url": "https://example.com/2" }, "status": "disabled",
        "eventTypes": [], "channels": ["c"], "uid": null, "metadata": { "k": "v" },
    });
    let patched = world.patch(ONE, patch).await.expect(200);
    assert_eq!(patched["config"]["url"], "https://example.com/2");
    assert_eq!((&patched["status"], &patched["eventTypes"]), (&json!("disabled"), &json!([])));
    assert_eq!((&patched["channels"], patched.get("uid")), (&json!(["c"]), None));
    let replaced = world.put(&format!("{ALL}/{id}"), fifo()).await.expect(200);
    assert_eq!(replaced["id"], created["id"]);
    for field in ["config", "status", "eventTypes", "channels", "metadata", "uid"] {
        assert_eq!(replaced[field], created[field], "{field}");
    }
    assert_eq!(world.get(&format!("{ONE}/secret")).await.expect(200), secret);
    world.delete(ONE).await.expect(204);
    world.get(ONE).await.expect(404);
    assert_eq!(world.put(ONE, fifo()).await.expect(201)["uid"], "d");
}

#[tokio::test(start_paused = true)]
async fn queues_and_buckets_are_endpoints_of_their_kinds() {
    for (destination, shown) in kinds() {
        let world = world().await;
        let created = world.post(ALL, destination.clone()).await.expect(201);
        assert_eq!((&created["type"], &created["config"]), (&destination["type"], &shown));
        let stored = async || {
            let application = application_id(&world.get("/api/v1/app/a").await.id());
            let uid = IdOrUid::Uid("d".parse().unwrap());
            let found = world.engine.store().get::<Endpoint>(&application, &uid).await.unwrap();
            let config = found.unwrap().config;
            Value::Object(world.engine.vault().open_at_rest(&config).unwrap())
        };
        let mut first = stored().await;
        assert!(first.to_string().contains("hunter2"), "{first}");
        // What a client was shown keeps the credentials.
        let mut back = created.clone();
        back["metadata"] = json!({ "k": "v" });
        let replaced = world.put(ONE, back).await.expect(200);
        assert_eq!((&replaced["config"], &replaced["id"]), (&shown, &created["id"]));
        // The default that was shown.
        match destination["type"].as_str().unwrap() {
            "rabbitMq" => first["mandatory"] = json!(true),
            "postgres" => first["table"] = json!("events"),
            _ => {},
        }
        assert_eq!(stored().await, first);
        let patch = json!({ "type": destination["type"], "status": "disabled" });
        assert_eq!(world.patch(ONE, patch).await.expect(200)["status"], "disabled");
        assert_eq!(stored().await, first);
        for path in ["secret", "headers"] {
            let error = world.get(&format!("{ONE}/{path}")).await.expect(400);
            assert_eq!(error["code"], "not_supported");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn batches_of_buckets_and_orders_are_honoured_and_those_of_others_refused() {
    let world = world().await;
    let (mut bucket, _) = kinds().remove(0);
    let created = world.post(ALL, bucket.clone()).await.expect(201);
    assert_eq!((&created["batchSize"], &created["maxWaitSecs"]), (&json!(100), &json!(0)));
    let patch = json!({ "type": "amazonS3", "batchSize": 7, "maxWaitSecs": 9 });
    let patched = world.patch(ONE, patch).await.expect(200);
    assert_eq!((&patched["batchSize"], &patched["maxWaitSecs"]), (&json!(7), &json!(9)));
    let endpoint = world.get("/api/v1/app/a/endpoint/d").await.expect(200);
    let config = &endpoint["config"];
    assert_eq!((&config["maxMessages"], &config["maxWait"]), (&json!(7), &json!("9s")));
    let kept = world.patch(ONE, json!({ "type": "amazonS3" })).await.expect(200);
    assert_eq!((&kept["batchSize"], &kept["maxWaitSecs"]), (&json!(7), &json!(9)));
    bucket["maxWaitSecs"] = json!(300);
    assert_eq!(places(&world.put(ONE, bucket).await.expect(422)), ["body.maxWaitSecs"]);
    let mut fifo = fifo();
    fifo["uid"] = json!("f");
    for (field, wrong) in [("batchSize", 0), ("batchSize", 1_001), ("maxWaitSecs", 301)] {
        let mut wrong_one = fifo.clone();
        wrong_one[field] = json!(wrong);
        let error = world.post(ALL, wrong_one).await.expect(422);
        assert_eq!(places(&error), [format!("body.{field}")]);
    }
    fifo["batchSize"] = json!(7);
    world.post(ALL, fifo).await.expect(201);
    let patch = json!({ "type": "fifoEndpoint", "maxWaitSecs": 300 });
    let patched = world.patch(&format!("{ALL}/f"), patch).await.expect(200);
    assert_eq!((&patched["batchSize"], &patched["maxWaitSecs"]), (&json!(7), &json!(300)));
    let mut queue = kinds().remove(1).0;
    queue["uid"] = json!("q");
    queue["batchSize"] = json!(100);
    assert_eq!(places(&world.post(ALL, queue).await.expect(422)), ["body.batchSize"]);
}

#[tokio::test(start_paused = true)]
async fn other_types_are_refused_with_a_list_of_those_that_exist() {
    let world = world().await;
    for kind in ["bigQuery", "snowflake"] {
        let error = world.post(ALL, json!({ "type": kind, "config": {} })).await.expect(422);
        assert_eq!(places(&error), ["body.type"]);
        let message = error["detail"][0]["msg"].as_str().unwrap();
        assert!(message.contains("fifoEndpoint") && message.contains("amazonS3"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn problems_have_the_names_that_the_client_knows() {
    let world = world().await;
    let mut role = aws("bucket", "b-1");
    role["roleArn"] = json!("r");
    for (destination, expected) in [
        (json!({ "type": "fifoEndpoint", "config": {} }), "body.config.url"),
        (json!({ "type": "fifoEndpoint", "config": { "url": "x" } }), "body.config.url"),
        (json!({ "type": "fifoEndpoint", "config": { "ulr": "x" } }), "body.config.ulr"),
        (json!({ "type": "amazonS3", "config": role }), "body.config.roleArn"),
        (
            json!({ "type": "rabbitMq", "config": { "uri": 1, "routingKey": "k" } }),
            "body.config.uri",
        ),
        (json!({ "type": "sqs", "config": aws("queueUrl", "q") }), "body.config.queueUrl"),
        (json!({ "type": "sqs", "cnofig": {} }), "body.cnofig"),
    ] {
        let error = world.post(ALL, destination.clone()).await.expect(422);
        assert!(places(&error).iter().any(|it| it == expected), "{destination}: {error}");
    }
    world.post(ALL, fifo()).await.expect(201);
    let id = world.get(ONE).await.id();
    let other = json!({ "type": "sqs", "config": aws("queueUrl", "https://sqs.example/q") });
    for error in [world.put(ONE, other.clone()).await, world.patch(ONE, other).await] {
        assert_eq!(places(&error.expect(422)), ["body.type"]);
    }
    let mut same = fifo();
    same["uid"] = json!(id);
    assert_eq!(places(&world.post(ALL, same).await.expect(422)), ["body.uid"]);
    let patch = json!({ "type": "fifoEndpoint", "config": { "headers": {} } });
    assert_eq!(places(&world.patch(ONE, patch).await.expect(422)), ["body.config.headers"]);
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_clients_of_the_hosted_api_cannot_read_are_no_destinations() {
    let world = world().await;
    let redis = json!({ "url": "redis://redis.example", "stream": "s" });
    for (uid, endpoint) in [
        ("http", json!({ "url": "https://example.com" })),
        ("redis", json!({ "kind": "redis", "config": redis })),
    ] {
        let path = format!("/api/v1/app/a/endpoint/{uid}");
        world.put(&path, endpoint).await.expect(201);
        world.get(&format!("{ALL}/{uid}")).await.expect(404);
        world.delete(&format!("{ALL}/{uid}")).await.expect(404);
        world.put(&format!("{ALL}/{uid}"), fifo()).await.expect(409);
    }
    assert_eq!(world.get(ALL).await.expect(200)["data"], json!([]));
    world.post(ALL, fifo()).await.expect(201);
    let page = world.get(&format!("{ALL}?limit=1&order=ascending")).await.expect(200);
    assert_eq!(page["data"][0]["uid"], "d");
    assert_eq!(page["done"], true);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_fails_is_shown_as_retrying() {
    let world = world().await;
    world.post(ALL, fifo()).await.expect(201);
    world.receiver.answer(500);
    let message = json!({ "eventType": "paid", "payload": {} });
    world.post("/api/v1/app/a/msg", message).await.expect(202);
    world.until(ONE, |it| it["status"] == "retrying").await;
}

#[tokio::test(start_paused = true)]
async fn the_attempts_of_a_destination_are_listed_and_read() {
    let world = world().await;
    world.post(ALL, fifo()).await.expect(201);
    let message = json!({ "eventType": "paid", "payload": {} });
    let message = world.post("/api/v1/app/a/msg", message).await.id();
    let attempts = format!("{ONE}/attempt");
    let page = world.until(&attempts, |it| !it["data"].as_array().unwrap().is_empty()).await;
    let one = &page["data"][0];
    assert_eq!(one["firstMsgId"], message);
    assert_eq!((&one["numEvents"], &one["status"]), (&json!(1), &json!(0)));
    assert_eq!(one["destinationId"], world.get(ONE).await.expect(200)["id"]);
    let id = one["id"].as_str().unwrap();
    assert_eq!(world.get(&format!("{attempts}/{id}")).await.expect(200), *one);
    let failed = world.get(&format!("{attempts}?status=2")).await.expect(200);
    assert_eq!(failed["data"], json!([]));
    world.get(&format!("{attempts}/{}", id.replace("atmpt_0", "atmpt_1"))).await.expect(404);
    world.get("/api/v1/app/a/destination/none/attempt").await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_destination_can_have_a_filter() {
    let world = world().await;
    let with = |filter: Value| {
        let mut body = fifo();
        body["filter"] = filter;
        body
    };
    let error = world.post(ALL, with(json!("payload.amount >"))).await.expect(422);
    assert_eq!(error["detail"][0]["loc"], json!(["body", "filter"]));
    let made = world.post(ALL, with(json!("payload.amount > 100"))).await.expect(201);
    assert_eq!(made["filter"], "payload.amount > 100");
    assert_eq!(world.get(ALL).await.expect(200)["data"][0]["filter"], made["filter"]);
    // A client of the hosted API does not know it, and keeps it.
    assert_eq!(world.put(ONE, fifo()).await.expect(200)["filter"], made["filter"]);
    let patch = json!({ "type": "fifoEndpoint", "filter": "payload.amount > 200" });
    assert_eq!(world.patch(ONE, patch).await.expect(200)["filter"], "payload.amount > 200");
    let patch = json!({ "type": "fifoEndpoint", "filter": null });
    assert_eq!(world.patch(ONE, patch).await.expect(200).get("filter"), None);
}

/// Publishes messages, and returns their ids.
async fn publish(world: &World, count: u64) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let message = json!({ "eventType": "paid", "payload": { "n": number } });
        ids.push(world.post("/api/v1/app/a/msg", message).await.id());
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn what_waits_while_a_destination_is_paused_is_sent_in_batches() {
    let world = world().await;
    let mut paused = fifo();
    (paused["status"], paused["batchSize"]) = (json!("paused"), json!(3));
    assert_eq!(world.post(ALL, paused).await.expect(201)["status"], "paused");
    let ids = publish(&world, 5).await;
    let shown = world.get(ONE).await.expect(200);
    assert_eq!((&shown["status"], &shown["currentIterator"]), (&json!("paused"), &json!(ids[0])));
    assert!(world.receiver.calls.lock().unwrap().is_empty());
    let next = world.get(&format!("{ONE}/next-event")).await.expect(200);
    assert_eq!((&next["id"], &next["eventType"]), (&json!(ids[0]), &json!("paid")));
    assert_eq!(next["payload"], r#"{"n":0}"#);
    assert_eq!(world.get("/api/v1/app/a/endpoint/d/next-event").await.expect(200), next);
    world.get(&format!("{ONE}/last-acked-event")).await.expect(404);
    let resumed = json!({ "type": "fifoEndpoint", "status": "enabled" });
    world.patch(ONE, resumed).await.expect(200);
    world.until(ONE, |it| it["currentIterator"] == "").await;
    let bodies: Vec<Value> = {
        let calls = world.receiver.calls.lock().unwrap();
        calls.iter().map(|it| serde_json::from_slice(it.body()).unwrap()).collect()
    };
    let events: Vec<&Vec<Value>> =
        bodies.iter().map(|it| it["events"].as_array().unwrap()).collect();
    assert_eq!(events.iter().map(|it| it.len()).collect::<Vec<_>>(), [3, 2]);
    let sent: Vec<_> = events.iter().copied().flatten().map(|it| &it["id"]).collect();
    assert_eq!(sent, ids.iter().map(|it| json!(it)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    assert_eq!(events[1][1]["payload"], json!({ "n": 4 }));
    let last = world.get(&format!("{ONE}/last-acked-event")).await.expect(200);
    assert_eq!(last["id"], ids[4]);
    world.get(&format!("{ONE}/next-event")).await.expect(404);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_keeps_failing_stops_the_destination_until_it_is_skipped() {
    let world = world().await;
    let mut one_by_one = fifo();
    one_by_one["batchSize"] = json!(1);
    world.post(ALL, one_by_one).await.expect(201);
    world.receiver.answer(500);
    let ids = publish(&world, 3).await;
    let failed = world.until(ONE, |it| it["status"] == "retrying").await;
    assert_eq!(failed["currentIterator"], ids[0]);
    assert!(failed["nextRetryAt"].is_string(), "{failed}");
    assert!(failed["failureReason"].as_str().unwrap().contains("500"), "{failed}");
    let skip = format!("{ONE}/skip");
    world.post(&skip, json!({})).await.expect(204);
    assert_eq!(world.get(ONE).await.expect(200)["currentIterator"], ids[1]);
    world.post(&skip, json!({ "iterator": ids[1] })).await.expect(204);
    assert_eq!(world.get(ONE).await.expect(200)["currentIterator"], ids[2]);
    world.post(&skip, json!({ "iterator": "later" })).await.expect(422);
    let skipped = world.get("/api/v1/audit-log?operation=v1.destination.skip").await.expect(200);
    assert!(skipped["data"].as_array().unwrap().len() >= 2, "{skipped}");
    world.receiver.answer(200);
    world.post(&format!("{ONE}/force-retry"), json!({})).await.expect(204);
    world.until(ONE, |it| it["currentIterator"] == "").await;
    let last = world.get(&format!("{ONE}/last-acked-event")).await.expect(200);
    assert_eq!(last["id"], ids[2]);
    let path = format!("/api/v1/app/a/msg/{}/endpoint?expanded_statuses=true", ids[0]);
    let first = world.get(&path).await.expect(200);
    assert_eq!(first["data"][0]["status"], 4, "{first}");
}
