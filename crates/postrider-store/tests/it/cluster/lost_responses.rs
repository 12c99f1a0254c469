//! The promises of `Deliveries` when responses of the database are lost: the change is committed,
//! but the node does not know.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use postrider_store::{Deliveries, PostgresOptions, PostgresStore};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::HELD;
use crate::{
    fixture::{self, NOW, claim_at, claimed, free, leased},
    schema::{Schema, count},
};

/// Parts of statements. Once one connection has sent all of them in this order, it is closed.
type Statements = Arc<Mutex<VecDeque<&'static str>>>;

/// A proxy to the server that forwards everything until a response is to be lost.
#[derive(Debug)]
struct LossyProxy {
    address: SocketAddr,
    statements: Statements,
    _task: JoinSet<()>,
}

impl LossyProxy {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, statements) = (listener.local_addr().unwrap(), Statements::default());
        let mut task = JoinSet::new();
        let shared = Arc::clone(&statements);
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(server).await.unwrap();
                // An error ends the connection, as its end does.
                let statements = Arc::clone(&shared);
                connections.spawn(async move {
                    drop(Box::pin(forward(client, server, &statements)).await);
                });
            }
        });
        Self { address, statements, _task: task }
    }

    /// Closes the connection on which these are sent, before the response to the last one
    /// arrives.
    fn lose_response(&self, statements: &[&'static str]) {
        *self.statements.lock().unwrap() = statements.iter().copied().collect();
    }
}

async fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    statements: &Statements,
) -> io::Result<()> {
    let (mut request, mut response) = (vec![0; 65_536], vec![0; 65_536]);
    let (mut matched, mut is_lost) = (0, false);
    loop {
        tokio::select! {
            count = client.read(&mut request) => match count? {
                0 => return Ok(()),
                count => {
                    let text = String::from_utf8_lossy(&request[..count]).into_owned();
                    is_lost |= matches_last(statements, &mut matched, &text);
                    server.write_all(&request[..count]).await?;
                },
            },
            count = server.read(&mut response) => match count? {
                0 => return Ok(()),
                _ if is_lost => return Ok(()),
                count => client.write_all(&response[..count]).await?,
            },
        }
    }
}

/// Whether this text completes the statements, of which the connection has already sent `matched`.
fn matches_last(statements: &Statements, matched: &mut usize, text: &str) -> bool {
    let mut statements = statements.lock().unwrap();
    while statements.get(*matched).is_some_and(|statement| text.contains(statement)) {
        *matched += 1;
    }
    let is_last = !statements.is_empty() && *matched == statements.len();
    if is_last {
        statements.clear();
    }
    is_last
}

/// A node that reaches its schema through a proxy, and sends its statements as text.
async fn node() -> (Schema, LossyProxy, PostgresStore) {
    let schema = Schema::create().await;
    let proxy = LossyProxy::to(schema.address()).await;
    let options = PostgresOptions { is_pooled: true, ..schema.options_over(proxy.address) };
    let store = PostgresStore::open(options).await.unwrap();
    fixture::set_up(&store).await;
    (schema, proxy, store)
}

/// A claim shortly afterwards; leases end much later.
async fn claim_soon(store: &PostgresStore) -> Vec<(u64, u64, u16)> {
    claimed(store, claim_at(NOW + Duration::from_secs(1))).await
}

#[tokio::test]
async fn deliveries_are_offered_again_when_the_response_to_their_claim_is_lost() {
    let (schema, proxy, store) = node().await;
    store.append(vec![free(1, &[1]), free(2, &[1])]).await.unwrap();
    proxy.lose_response(&["FOR UPDATE OF l SKIP LOCKED", "COMMIT"]);
    assert!(store.claim(fixture::claim()).await.is_err());
    let held = count(&schema.client().await, HELD).await;
    assert_eq!(held, 2, "the claim is committed");
    assert_eq!(claim_soon(&store).await, [(1, 1, 1), (1, 2, 1)]);
    assert_eq!(claim_soon(&store).await, [], "only once");
    schema.remove().await;
}

#[tokio::test]
async fn a_message_is_offered_soon_when_the_response_to_its_append_is_lost() {
    let (schema, proxy, store) = node().await;
    proxy.lose_response(&["INSERT INTO message"]);
    assert!(store.append(vec![leased(1, &[1, 2])]).await.is_err());
    assert_eq!(claim_soon(&store).await, [(1, 1, 1), (2, 1, 1)]);
    assert_eq!(claim_soon(&store).await, []);
    schema.remove().await;
}

#[tokio::test]
async fn a_delivery_is_offered_again_when_its_release_fails() {
    let (schema, proxy, store) = node().await;
    store.append(vec![leased(1, &[1])]).await.unwrap();
    proxy.lose_response(&["BEGIN"]);
    assert!(store.release(vec![(fixture::fresh(1, 1), NOW)]).await.is_err());
    assert_eq!(claim_soon(&store).await, [(1, 1, 1)]);
    schema.remove().await;
}
