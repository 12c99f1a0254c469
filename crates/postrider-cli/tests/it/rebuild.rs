//! A lost index, which the server rebuilds while it serves: what works meanwhile, and what a kill
//! in the middle leaves.

use std::{
    fs,
    path::{Path, PathBuf},
};

use http::{Method, Request};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    port::free_port,
    receive,
    receiver::Receiver,
    server::{Server, until_async},
};

/// So many that the rebuild takes a second or more: a start does a step for at most 2,000 of them.
const MESSAGES: u64 = 40_000;

/// The server, and the address of its metrics.
struct World {
    server: Server,
    metrics: String,
    receiver: Receiver,
    endpoint: String,
}

impl World {
    /// A stopped server with three delivered messages, and very many before them, which are only in
    /// `postrider.db`.
    async fn start() -> Self {
        let metrics = format!("127.0.0.1:{}", free_port());
        let mut server = Server::embedded(&[("POSTRIDER_METRICS_LISTEN", &metrics)]);
        let receiver = Receiver::start().await;
        server.application("acme").await;
        let (endpoint, _) = server.endpoint("acme", &receiver.url("ok")).await;
        for number in 0..3 {
            server.publish("acme", json!({ "number": number })).await;
        }
        receiver.until("ok", |calls| calls.len() == 3).await;
        assert!(server.terminate().success());
        let world = Self { server, metrics, receiver, endpoint };
        world.add_messages();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.server.folder.path().join("data").join(name)
    }

    fn add_messages(&self) {
        let db = Connection::open(self.path("postrider.db")).unwrap();
        let first = "SELECT head FROM messages ORDER BY sequence LIMIT 1";
        let head: Vec<u8> = db.query_row(first, [], |row| row.get(0)).unwrap();
        // Without a checksum, as earlier formats stored it: the checksum would depend on the row.
        let head = [&[1], &head[9..]].concat();
        let added = db.execute(ADD_MESSAGES, (MESSAGES, head)).unwrap();
        assert_eq!(added as u64, MESSAGES);
    }

    fn remove_index(&self) {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            drop(fs::remove_file(self.path(name)));
        }
    }

    async fn rebuild(&self) -> Value {
        self.server.get("/status").await["store"]["indexRebuild"].clone()
    }

    async fn until_complete(&self) {
        until_async(async || self.rebuild().await, Value::is_null).await;
    }

    /// Waits until the metric has a value like this; it is measured every few seconds.
    async fn until_ratio(&self, is_so: impl Fn(f64) -> bool) {
        let read = async || {
            let request = Request::get(format!("http://{}/metrics", self.metrics));
            let text = receive::send(request, "").await.text;
            let name = "postrider_index_complete_ratio{} ";
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.map_or(Value::Null, |it| it.parse::<f64>().unwrap().into())
        };
        until_async(read, |ratio| ratio.as_f64().is_some_and(&is_so)).await;
    }
}

const ADD_MESSAGES: &str = "
WITH RECURSIVE numbers (number) AS (
    SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?1
)
INSERT INTO messages (sequence, tail, application, head, body)
SELECT first.sequence - number * 4096, first.tail, first.application, ?2, first.body
FROM numbers, (SELECT * FROM messages ORDER BY sequence LIMIT 1) AS first";

/// What two indexes do not have in common.
fn difference(first: &Path, second: &Path) -> Vec<String> {
    let db = Connection::open(first).unwrap();
    db.execute("ATTACH ?1 AS other", [second.to_str().unwrap()]).unwrap();
    let tables =
        ["messages", "deliveries", "attempts_by_endpoint", "attempts_by_message", "rollups"];
    let sides = tables.into_iter().flat_map(|it| [(it, "main", "other"), (it, "other", "main")]);
    let differing = sides.filter(|(table, here, there)| {
        let sql = format!(
            "SELECT EXISTS (SELECT * FROM {here}.{table} EXCEPT SELECT * FROM {there}.{table})"
        );
        db.query_row(&sql, [], |row| row.get(0)).unwrap()
    });
    differing.map(|(table, here, _)| format!("{here}.{table}")).collect()
}

#[tokio::test]
async fn a_lost_index_is_rebuilt_while_the_server_works_and_after_a_kill() {
    let mut world = World::start().await;
    world.remove_index();
    world.server.restart();
    world.until_complete().await;
    world.until_ratio(|it| it >= 1.0).await;
    assert!(world.server.terminate().success());
    let expected = world.path("expected.db");
    fs::copy(world.path("index.db"), &expected).unwrap();
    let count = "SELECT count(*) FROM messages";
    let db = Connection::open(&expected).unwrap();
    let indexed: u64 = db.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(indexed, MESSAGES + 3);
    drop(db);

    world.remove_index();
    world.server.restart();
    // Nothing is written to the index as long as this transaction lasts.
    let lock = Connection::open(world.path("index.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    check_rebuilding(&world).await;
    world.server.kill();
    drop(lock);
    world.server.restart();
    let percent = world.rebuild().await["percent"].as_u64();
    assert!(percent.is_some_and(|it| it < 100), "{percent:?}");
    world.until_complete().await;
    assert!(world.server.log().contains("the index is complete again"));
    let old = world.server.get("/app/acme/msg?before=2020-01-01T00:00:00Z").await;
    assert_eq!(old["data"], json!([]));

    // The message that was published meanwhile is the only difference.
    assert!(world.server.terminate().success());
    let db = Connection::open(world.path("index.db")).unwrap();
    let indexed: u64 = db.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(indexed, MESSAGES + 4);
    drop(db);
    assert_eq!(
        difference(&expected, &world.path("index.db")),
        [
            "other.messages",
            "other.deliveries",
            "other.attempts_by_endpoint",
            "other.attempts_by_message",
            "main.rollups",
            "other.rollups",
        ]
    );
}

/// The server works, and refuses only what needs the missing part.
async fn check_rebuilding(world: &World) {
    let server = &world.server;
    let rebuild = world.rebuild().await;
    let (percent, since) = (rebuild["percent"].as_u64(), rebuild["since"].as_str().unwrap());
    assert!(percent.is_some_and(|it| it < 100), "{rebuild}");
    assert_eq!(server.call(Method::GET, "/health/ready", None).await.unwrap().0, 204);

    let recent = server.get(&format!("/app/acme/msg?after={since}&limit=3")).await;
    assert_eq!(recent["data"].as_array().unwrap().len(), 3, "{recent}");
    let attempts = format!("/app/acme/attempt/endpoint/{}", world.endpoint);
    for list in ["/app/acme/msg", &attempts] {
        let path = &format!("{list}?before=2020-01-01T00:00:00Z");
        let (status, error) = server.call(Method::GET, path, None).await.unwrap();
        assert_eq!((status, &error["code"]), (503, &json!("index_rebuilding")), "{path}: {error}");
        assert!(error["detail"].as_str().unwrap().contains(since), "{error}");
        let (_, wait) = server.retry_after(Method::GET, path).await;
        assert!(wait.is_some_and(|it| it.parse::<u32>().unwrap() > 0));
    }

    world.until_ratio(|it| it < 1.0).await;
    let cookie = format!("postrider-console={}", server.token);
    let overview = Request::get(&server.url).header("cookie", cookie);
    let page = receive::send(overview, "").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("The index is being rebuilt"), "{}", page.text);

    server.publish("acme", json!({ "number": 3 })).await;
    world.receiver.until("ok", |calls| calls.len() == 4).await;
}
