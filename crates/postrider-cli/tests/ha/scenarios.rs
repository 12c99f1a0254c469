//! What can happen to the machines of the database.

use std::time::Duration;

use crate::{
    cluster::{Cluster, Path, isolated},
    until,
};

/// A machine counts as gone when nothing was accepted for this time.
const OUTAGE: Duration = Duration::from_secs(5);

#[test]
#[ignore = "needs root and minutes"]
fn a_killed_primary_loses_nothing_with_several_hosts() {
    isolated("scenarios::a_killed_primary_loses_nothing_with_several_hosts", async || {
        kill(Path::Hosts).await;
    });
}

#[test]
#[ignore = "needs root and minutes"]
fn a_killed_primary_loses_nothing_behind_a_proxy() {
    isolated("scenarios::a_killed_primary_loses_nothing_behind_a_proxy", async || {
        kill(Path::Proxy).await;
    });
}

async fn kill(path: Path) {
    let cluster = Cluster::start(path, &[]).await;
    let primary = cluster.patroni.primary();
    cluster.patroni.run("kill", &[&primary]);
    until("another machine is the primary", || is_replaced(&cluster, &primary)).await;
    cluster.accept(100).await;
    cluster.patroni.run("run", &[&primary]);
    cluster.patroni.ready();
    cluster.prove(&format!("killed primary ({path:?})")).await;
}

#[test]
#[ignore = "needs root and minutes"]
fn a_switchover_loses_nothing_with_several_hosts() {
    isolated("scenarios::a_switchover_loses_nothing_with_several_hosts", async || {
        switch_over(Path::Hosts).await;
    });
}

#[test]
#[ignore = "needs root and minutes"]
fn a_switchover_loses_nothing_behind_a_proxy() {
    isolated("scenarios::a_switchover_loses_nothing_behind_a_proxy", async || {
        switch_over(Path::Proxy).await;
    });
}

async fn switch_over(path: Path) {
    let cluster = Cluster::start(path, &[]).await;
    let primary = cluster.patroni.primary();
    cluster.patroni.run("ctl", &["switchover", "--force", "--master", &primary]);
    cluster.patroni.ready();
    assert!(is_replaced(&cluster, &primary));
    cluster.prove(&format!("switchover ({path:?})")).await;
}

/// Nodes can still write to the old primary, until it notices that it is alone.
#[test]
#[ignore = "needs root and minutes"]
fn a_primary_that_only_clients_can_reach_loses_nothing() {
    isolated("scenarios::a_primary_that_only_clients_can_reach_loses_nothing", async || {
        partition("cut", Path::Hosts).await;
    });
}

/// Connections to it stay open without any response.
#[test]
#[ignore = "needs root and minutes"]
fn a_primary_that_vanishes_from_the_network_loses_nothing_with_several_hosts() {
    isolated(
        "scenarios::a_primary_that_vanishes_from_the_network_loses_nothing_with_several_hosts",
        async || partition("vanish", Path::Hosts).await,
    );
}

#[test]
#[ignore = "needs root and minutes"]
fn a_primary_that_vanishes_from_the_network_loses_nothing_behind_a_proxy() {
    isolated(
        "scenarios::a_primary_that_vanishes_from_the_network_loses_nothing_behind_a_proxy",
        async || partition("vanish", Path::Proxy).await,
    );
}

async fn partition(manner: &str, path: Path) {
    let cluster = Cluster::start(path, &[]).await;
    let primary = cluster.patroni.primary();
    cluster.patroni.run(manner, &[&primary]);
    until("another machine is the primary", || is_replaced(&cluster, &primary)).await;
    cluster.accept(100).await;
    cluster.patroni.run("heal", &[&primary]);
    cluster.patroni.ready();
    cluster.prove(&format!("partition: {manner} ({path:?})")).await;
}

#[test]
#[ignore = "needs root and minutes"]
fn a_full_disk_of_the_primary_loses_nothing() {
    isolated("scenarios::a_full_disk_of_the_primary_loses_nothing", async || {
        let cluster = Cluster::start(Path::Hosts, &["disk=400M"]).await;
        let primary = cluster.patroni.primary();
        cluster.patroni.run("fill", &[&primary]);
        // It still runs and has the lock, but cannot extend a table. So an operator has to replace it.
        cluster.refused(OUTAGE).await;
        assert_eq!(cluster.patroni.primary(), primary);
        cluster.patroni.run("ctl", &["switchover", "--force", "--master", &primary]);
        until("another machine is the primary", || is_replaced(&cluster, &primary)).await;
        cluster.accept(100).await;
        cluster.patroni.run("free", &[&primary]);
        cluster.patroni.run("run", &[&primary]);
        cluster.patroni.ready();
        cluster.prove("full disk").await;
    });
}

#[test]
#[ignore = "needs root and minutes"]
fn a_lost_quorum_of_etcd_stops_everything_and_loses_nothing() {
    isolated("scenarios::a_lost_quorum_of_etcd_stops_everything_and_loses_nothing", async || {
        let cluster = Cluster::start(Path::Hosts, &[]).await;
        for machine in ["db1", "db2"] {
            cluster.patroni.run("etcd-kill", &[machine]);
        }
        // The primary cannot renew its lock, and steps down before another one could have it.
        cluster.refused(OUTAGE).await;
        for machine in ["db1", "db2"] {
            cluster.patroni.run("run", &[machine]);
        }
        cluster.patroni.ready();
        cluster.prove("etcd without quorum").await;
    });
}

/// A message on one machine only is not accepted: that machine might be the next to fail.
#[test]
#[ignore = "needs root and minutes"]
fn without_standbys_nothing_is_accepted() {
    isolated("scenarios::without_standbys_nothing_is_accepted", async || {
        let cluster = Cluster::start(Path::Hosts, &[]).await;
        let primary = cluster.patroni.primary();
        let standbys = ["db1", "db2", "db3"].into_iter().filter(|it| *it != primary);
        for standby in standbys.clone() {
            cluster.patroni.run("kill", &[standby]);
        }
        cluster.refused(OUTAGE).await;
        for standby in standbys {
            cluster.patroni.run("run", &[standby]);
        }
        cluster.patroni.ready();
        cluster.prove("both standbys killed").await;
    });
}

/// Whether a machine other than this one is the primary.
fn is_replaced(cluster: &Cluster, primary: &str) -> bool {
    let now = cluster.patroni.primary();
    !now.is_empty() && now != primary
}
