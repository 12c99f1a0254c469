//! Lost responses of the database: the change is committed, but the node does not know.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use postrider_core::time::Timestamp;
use postrider_store::{Deliveries, PostgresOptions, PostgresStore};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    database::Schema,
    fixture::{self, NOW, claim_at, claimed, free, leased},
};

/// What is sent on one connection, in this order, before an answer is lost.
type Words = Arc<Mutex<VecDeque<&'static str>>>;

/// A way to the server that passes everything on, until it is told to lose an answer.
#[derive(Debug)]
struct Way {
    address: SocketAddr,
    words: Words,
    _task: JoinSet<()>,
}

impl Way {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, words) = (listener.local_addr().unwrap(), Words::default());
        let mut task = JoinSet::new();
        let theirs = Arc::clone(&words);
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(server).await.unwrap();
                // A connection that ends with an error has ended.
                let words = Arc::clone(&theirs);
                connections
                    .spawn(async move { drop(Box::pin(pass(client, server, &words)).await) });
            }
        });
        Self { address, words, _task: task }
    }

    /// Closes the connection on which these are sent, before the answer to the last one
    /// arrives.
    fn lose(&self, words: &[&'static str]) {
        *self.words.lock().unwrap() = words.iter().copied().collect();
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, words: &Words) -> io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let (mut heard, mut is_lost) = (0, false);
    loop {
        tokio::select! {
            count = client.read(&mut asked) => match count? {
                0 => return Ok(()),
                count => {
                    let text = String::from_utf8_lossy(&asked[..count]).into_owned();
                    is_lost |= is_last(words, &mut heard, &text);
                    server.write_all(&asked[..count]).await?;
                },
            },
            count = server.read(&mut answered) => match count? {
                0 => return Ok(()),
                _ if is_lost => return Ok(()),
                count => client.write_all(&answered[..count]).await?,
            },
        }
    }
}

/// Whether this connection, which heard so many of the words, hears the last one now.
fn is_last(words: &Words, heard: &mut usize, text: &str) -> bool {
    let mut words = words.lock().unwrap();
    while words.get(*heard).is_some_and(|word| text.contains(word)) {
        *heard += 1;
    }
    let is_last = !words.is_empty() && *heard == words.len();
    if is_last {
        words.clear();
    }
    is_last
}

/// A node that reaches its schema over such a way, and sends its statements with their text.
async fn node() -> (Schema, Way, PostgresStore) {
    let schema = Schema::create().await;
    let way = Way::to(schema.address()).await;
    let options = PostgresOptions { is_pooled: true, ..schema.options_over(way.address) };
    let store = PostgresStore::open(options).await.unwrap();
    fixture::set_up(&store).await;
    (schema, way, store)
}

/// What a claim soon after gives; leases end much later.
async fn next(store: &PostgresStore) -> Vec<(u64, u64, u16)> {
    claimed(store, claim_at(soon())).await
}

fn soon() -> Timestamp {
    NOW + Duration::from_secs(1)
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_offered_again() {
    let (schema, way, store) = node().await;
    store.append(vec![free(1, &[1]), free(2, &[1])]).await.unwrap();
    way.lose(&["FOR UPDATE OF l SKIP LOCKED", "COMMIT"]);
    assert!(store.claim(fixture::claim()).await.is_err());
    let held = "SELECT count(*) FROM queue WHERE holder IS NOT NULL";
    let count: i64 = schema.client().await.query_one(held, &[]).await.unwrap().get(0);
    assert_eq!(count, 2, "the database has taken it");
    assert_eq!(next(&store).await, [(1, 1, 1), (1, 2, 1)]);
    assert_eq!(next(&store).await, [], "only once");
    schema.remove().await;
}

#[tokio::test]
async fn a_message_whose_acceptance_was_not_heard_is_delivered_soon() {
    let (schema, way, store) = node().await;
    way.lose(&["INSERT INTO message"]);
    assert!(store.append(vec![leased(1, &[1, 2])]).await.is_err());
    assert_eq!(next(&store).await, [(1, 1, 1), (2, 1, 1)]);
    assert_eq!(next(&store).await, []);
    schema.remove().await;
}

#[tokio::test]
async fn what_could_not_be_released_is_offered_again() {
    let (schema, way, store) = node().await;
    store.append(vec![leased(1, &[1])]).await.unwrap();
    way.lose(&["BEGIN"]);
    assert!(store.release(vec![(fixture::fresh(1, 1), NOW)]).await.is_err());
    assert_eq!(next(&store).await, [(1, 1, 1)]);
    schema.remove().await;
}
