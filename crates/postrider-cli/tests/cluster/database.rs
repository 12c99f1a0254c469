//! Database failures: restarts, closed connections, hangs and outages.

use std::time::Duration;

use crate::{
    cluster::{Bounds, Cluster, LEASE, Setup},
    load::Pace,
    node::Node,
    now, pass, report, until,
};

/// Time limit of calls to the database.
const TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn restarts_and_closed_connections_of_the_database_lose_nothing() {
    let cluster = Cluster::start(Setup::steady()).await;
    for manner in ["fast", "immediate"] {
        for _ in 0..3 {
            cluster.accept(30).await;
            cluster.postgres.cut_connections().await;
        }
        cluster.accept(30).await;
        cluster.postgres.restart(manner);
    }
    cluster.accept(60).await;
    // Claims whose response was lost are held until their lease expires.
    let wait = Duration::from_secs(10);
    cluster.prove("database restarted", Bounds { duplicates: 20, wait }).await;
}

#[tokio::test]
async fn an_outage_of_the_database_longer_than_the_lease_loses_nothing() {
    let variables = vec![
        ("POSTRIDER_LIMITS__QUEUED", "500".to_owned()),
        ("POSTRIDER_LIMITS__DATABASE_TIMEOUT", format!("{}s", TIMEOUT.as_secs())),
    ];
    let pace = Pace {
        plain_publishers: 60,
        plain_pause: Duration::from_millis(500),
        padding: 20_000,
        timeout: Duration::from_secs(10),
        ..Pace::STEADY
    };
    let cluster = Cluster::start(Setup { pace, variables, ..Setup::steady() }).await;
    cluster.accept(100).await;
    let before: Vec<_> = cluster.nodes.iter().map(Node::memory).collect();
    // The database hangs.
    cluster.postgres.freeze();
    until_refused(&cluster).await;
    pass(LEASE + Duration::from_secs(1)).await;
    cluster.postgres.thaw();
    cluster.accept(100).await;
    // The database refuses connections.
    cluster.postgres.stop();
    until_refused(&cluster).await;
    pass(LEASE + Duration::from_secs(1)).await;
    for (node, before) in cluster.nodes.iter().zip(before) {
        let grown = node.memory().saturating_sub(before);
        report(format_args!("memory grew by {} KiB from {} KiB", grown >> 10, before >> 10));
        assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    }
    cluster.postgres.start_again();
    cluster.accept(100).await;
    let wait = Duration::from_secs(15);
    cluster.prove("database away", Bounds { duplicates: 50, wait }).await;
}

/// Waits until most publishers get 503, which must happen quickly.
async fn until_refused(cluster: &Cluster) {
    let (before, since) = (cluster.load.refused(), now());
    until("publishers are refused", || cluster.load.refused() > before + 40).await;
    let took = now() - since;
    report(format_args!("publishers were refused after {took:?}"));
    // The first calls wait for a response of the database, the next ones for a connection.
    assert!(took < 6 * TIMEOUT, "it took {took:?} to refuse");
}
