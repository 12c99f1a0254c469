//! Walking lists in both directions.

use serde_json::{Value, json};

use crate::world::World;

const UIDS: [&str; 5] = ["a", "b", "c", "d", "e"];

async fn world() -> World {
    let world = World::new();
    for uid in UIDS {
        world.post("/api/v1/app", json!({ "name": uid, "uid": uid })).await.expect(201);
    }
    world
}

async fn page(world: &World, query: &str) -> (String, Value) {
    let page = world.get(&format!("/api/v1/app?{query}")).await.expect(200);
    let items = page["data"].as_array().unwrap();
    (items.iter().map(|it| it["uid"].as_str().unwrap()).collect(), page)
}

#[tokio::test(start_paused = true)]
async fn a_list_is_walked_to_its_end_and_back() {
    let world = world().await;
    for (order, all) in [("ascending", "abcde"), ("descending", "edcba")] {
        let mut query = format!("limit=2&order={order}");
        let mut seen = Vec::new();
        let last = loop {
            let (uids, page) = page(&world, &query).await;
            seen.push(uids);
            if page["done"] == true {
                break page;
            }
            query =
                format!("limit=2&order={order}&iterator={}", page["iterator"].as_str().unwrap());
        };
        assert_eq!(seen.concat(), all);
        assert_eq!(seen.len(), 3);
        let back = |page: &Value| {
            format!("limit=2&order={order}&iterator={}", page["prevIterator"].as_str().unwrap())
        };
        let (middle, second) = page(&world, &back(&last)).await;
        assert_eq!((middle.as_str(), &second["done"]), (all.get(2..4).unwrap(), &json!(false)));
        let (first, page) = page(&world, &back(&second)).await;
        assert_eq!((first.as_str(), &page["done"]), (all.get(..2).unwrap(), &json!(true)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_a_list_are_empty_pages() {
    let world = world().await;
    let (_, all) = page(&world, "").await;
    let last = all["iterator"].as_str().unwrap();
    let (uids, end) = page(&world, &format!("iterator={last}")).await;
    assert_eq!((uids.as_str(), &end["done"], &end["iterator"]), ("", &json!(true), &Value::Null));
    let first = all["prevIterator"].as_str().unwrap();
    let (uids, end) = page(&world, &format!("iterator={first}")).await;
    assert_eq!((uids.as_str(), &end["done"]), ("", &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn limits_orders_and_iterators_are_checked() {
    let world = world().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=251", "limit"),
        ("limit=x", "limit"),
        ("order=sideways", "order"),
        ("iterator=nonsense", "iterator"),
        ("iterator=msg_00000000000000000000000000", "iterator"),
        ("exclude_apps_with_no_endpoints=maybe", "exclude_apps_with_no_endpoints"),
    ] {
        let error = world.get(&format!("/api/v1/app?{query}")).await.expect(422);
        assert_eq!(error["detail"][0]["loc"], json!(["query", field]), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_newest_first_and_are_filtered() {
    let world = world().await;
    for n in 0..6 {
        let event_type = if n % 2 == 0 { "even" } else { "odd" };
        let body = json!({
            "eventType": event_type,
            "eventId": format!("m{n}"),
            "payload": {},
            "channels": [format!("c{}", n % 3)],
            "tags": [format!("t{}", n / 3)],
        });
        world.post("/api/v1/app/a/msg", body).await.expect(202);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let ids = async |query: &str| {
        let page = world.get(&format!("/api/v1/app/a/msg?{query}")).await.expect(200);
        let items = page["data"].as_array().unwrap().clone();
        items.iter().map(|it| it["eventId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, ["m5", "m4", "m3", "m2", "m1", "m0"]);
    assert_eq!(ids("event_types=odd").await, ["m5", "m3", "m1"]);
    assert_eq!(ids("event_types=odd,even&limit=2").await, ["m5", "m4"]);
    for list in ["event_types[]=odd", "event_types[0]=odd", "event_types%5B%5D=odd"] {
        assert_eq!(ids(list).await, ["m5", "m3", "m1"], "{list}");
    }
    assert_eq!(ids("event_types[]=odd&event_types[]=even&limit=2").await, ["m5", "m4"]);
    assert_eq!(ids("channel=c1").await, ["m4", "m1"]);
    assert_eq!(ids("tag=t0").await, ["m2", "m1", "m0"]);
    let page = world.get("/api/v1/app/a/msg/m2").await.expect(200);
    let at = page["timestamp"].as_str().unwrap();
    assert_eq!(ids(&format!("before={at}")).await, ["m1", "m0"]);
    assert_eq!(ids(&format!("after={at}")).await, ["m5", "m4", "m3", "m2"]);
    for time in [
        "2026-01-01T02:00:02.5%2B02:00",
        "2026-01-01T02:00:02.5+02:00",
        "2026-01-01+02:00:02.5+02:00",
        "2026-01-01%2002:00:02.5%20%2B0200",
        "2026-01-01%2000:00:02.5Z",
        "2026-01-01t00:00:02.5z",
        "2026-01-01%2000:00:02.5%20UTC",
    ] {
        assert_eq!(ids(&format!("before={time}")).await.len(), 3, "{time}");
    }
    world.get("/api/v1/app/a/msg?before=tomorrow").await.expect(422);
}

/// What each list shows first if the request does not say; and the same lists asked for both
/// ways, with one item a page, forwards and back.
#[tokio::test(start_paused = true)]
async fn lists_have_a_default_order() {
    let world = World::new();
    let ascending = ["c", "a", "b"];
    for uid in ascending {
        let second = std::time::Duration::from_secs(1);
        world.post("/api/v1/app", json!({ "name": uid, "uid": uid })).await.expect(201);
        let event_type = json!({ "name": uid, "description": "" });
        world.post("/api/v1/event-type", event_type).await.expect(201);
        let url = format!("https://example.com/{uid}");
        let endpoint = json!({ "url": url, "uid": uid });
        world.post("/api/v1/app/c/endpoint", endpoint.clone()).await.expect(201);
        let source = json!({ "name": uid, "uid": uid, "type": "generic-webhook" });
        world.post("/ingest/api/v1/source", source).await.expect(201);
        world.post("/ingest/api/v1/source/c/endpoint", endpoint).await.expect(201);
        tokio::time::sleep(second).await;
    }
    for (path, key, first, smallest_first) in [
        ("/api/v1/app", "uid", "cab", "cab"),
        ("/api/v1/event-type", "name", "abc", "abc"),
        ("/api/v1/app/c/endpoint", "uid", "bac", "cab"),
        ("/ingest/api/v1/source", "uid", "bac", "cab"),
        ("/ingest/api/v1/source/c/endpoint", "uid", "bac", "cab"),
    ] {
        let shown = async |query: &str| {
            let page = world.get(&format!("{path}?{query}")).await.expect(200);
            let items = page["data"].as_array().unwrap();
            // The application of a source has the source's id for its uid.
            let names = items.iter().map(|it| it[key].as_str().unwrap());
            (names.filter(|it| it.len() == 1).collect::<String>(), page)
        };
        let greatest_first: String = smallest_first.chars().rev().collect();
        assert_eq!(shown("").await.0, first, "{path}");
        assert_eq!(shown("order=ascending").await.0, smallest_first, "{path}");
        assert_eq!(shown("order=descending").await.0, greatest_first, "{path}");
        let mut query = "limit=1".to_owned();
        let (mut seen, mut last) = (String::new(), Value::Null);
        while !last["done"].as_bool().unwrap_or_default() {
            let (uids, page) = shown(&query).await;
            seen.push_str(&uids);
            query = format!("limit=1&iterator={}", page["iterator"].as_str().unwrap());
            last = page;
        }
        assert_eq!(seen, first, "{path}");
        let back = format!("limit=50&iterator={}", last["prevIterator"].as_str().unwrap());
        let before = shown(&back).await.0;
        assert!(first.starts_with(&before) && before.len() >= 2, "{path}: {before}");
    }
}
