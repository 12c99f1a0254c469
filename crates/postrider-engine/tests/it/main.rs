//! The engine as a whole: in virtual time against hostile receivers, and its calls over real
//! sockets.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod calls;
mod client_certificates;
mod cluster;
mod coverage;
mod floods;
mod http2;
mod name_server;
mod names;
mod oauth;
mod order;
mod panics;
mod proxies;
mod receiver;
mod responses;
mod seeds;
mod simulation;
mod tls;
mod world;

use std::{collections::BTreeMap, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

/// Counts by key.
fn count<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}
