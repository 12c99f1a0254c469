//! Nodes that are killed, paused and replaced.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    cluster::{Bounds, Cluster, LEASE, Setup, TAKEOVER},
    pass,
};

#[tokio::test]
async fn repeatedly_killed_nodes_lose_nothing() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::start(Setup::steady()).await;
    let kills = 5;
    for _ in 0..kills {
        cluster.accept(random.random_range(20..80)).await;
        let node = random.random_range(0..3);
        cluster.nodes[node].kill();
        // Sometimes the others have to take over its deliveries.
        if random.random() {
            cluster.accept(40).await;
        }
        cluster.restart(node);
    }
    cluster.accept(40).await;
    cluster.prove("killed", Bounds { duplicates: kills * 20, wait: TAKEOVER }).await;
}

#[tokio::test]
async fn a_node_that_was_paused_beyond_its_lease_drops_its_deliveries() {
    let cluster = Cluster::start(Setup::steady()).await;
    for node in 0..2 {
        cluster.accept(80).await;
        cluster.nodes[node].pause();
        pass(LEASE + Duration::from_secs(2)).await;
        cluster.nodes[node].resume();
    }
    cluster.accept(80).await;
    cluster.prove("paused", Bounds { duplicates: 60, wait: TAKEOVER }).await;
}

#[tokio::test]
async fn nodes_are_replaced_one_by_one_during_a_schema_upgrade() {
    let mut cluster = Cluster::start(Setup::steady()).await;
    for node in 0..3 {
        cluster.accept(60).await;
        let status = cluster.nodes[node].terminate().await;
        assert_eq!(status.code(), Some(0), "{}", cluster.nodes[node].log());
        cluster.accept(20).await;
        cluster.restart(node);
    }
    let later = "ALTER TABLE message ADD COLUMN of_tomorrow text;
                 ALTER TABLE queue ADD COLUMN of_tomorrow bigint NOT NULL DEFAULT 7;
                 INSERT INTO schema_version (version, usable_from)
                 SELECT max(version) + 1, max(version) FROM schema_version";
    cluster.postgres.client().await.batch_execute(later).await.unwrap();
    cluster.accept(60).await;
    // As if the upgrade were rolled back: nodes of this version start on the later schema.
    for node in 0..3 {
        let status = cluster.nodes[node].terminate().await;
        assert_eq!(status.code(), Some(0), "{}", cluster.nodes[node].log());
        cluster.restart(node);
        cluster.accept(20).await;
        let log = cluster.nodes[node].log();
        assert!(log.contains("that of a later version, which this version can use"), "{log}");
    }
    let mut fourth = cluster.one_more();
    fourth.ready();
    cluster.accept(20).await;
    assert_eq!(fourth.terminate().await.code(), Some(0), "{}", fourth.log());
    // A node that shuts down releases its deliveries, so the others need not wait for its lease.
    let wait = Duration::from_secs(2);
    cluster.prove("replaced", Bounds { duplicates: 0, wait }).await;
}
