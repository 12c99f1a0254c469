//! Nodes with wrong clocks, which must not matter: nodes compare times by the database's clock.

use std::{fs, path::PathBuf, time::Duration};

use crate::{
    cluster::{Bounds, Cluster, Setup, TAKEOVER},
    node::Variables,
};

/// Path of the library that fakes clocks, below the library folder of Debian and others.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

fn library() -> PathBuf {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found =
        folders.into_iter().map(|it| PathBuf::from(it).join(LIBRARY)).find(|it| it.exists());
    found.expect("libfaketime is not installed (Debian: apt-get install libfaketime)")
}

/// Makes the node's wall clock, but not its monotonic clock, follow the file.
fn faked(file: &std::path::Path) -> Variables {
    vec![
        ("LD_PRELOAD", library().display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_DISABLE_SHM", "1".to_owned()),
    ]
}

#[tokio::test]
async fn wrong_and_jumping_clocks_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..3).map(|node| folder.path().join(node.to_string())).collect();
    let set = |clocks: [&str; 3]| {
        for (file, clock) in files.iter().zip(clocks) {
            fs::write(file, clock).unwrap();
        }
    };
    set(["+60", "-60", "+0"]);
    let own = [faked(&files[0]), faked(&files[1]), faked(&files[2])];
    let mut cluster = Cluster::start(Setup { own, ..Setup::steady() }).await;
    cluster.accept(150).await;
    // The node whose clock is ahead dies; the one whose clock is behind takes over.
    cluster.nodes[0].kill();
    cluster.accept(100).await;
    cluster.restart(0);
    // Both clocks jump by two minutes.
    set(["-60", "+60", "+0"]);
    cluster.accept(200).await;
    // Signatures have the correct time, even from a node with a wrong clock.
    let arrivals = cluster.receiver.arrivals();
    let error = arrivals.iter().map(|it| (it.time - it.said).abs()).max().unwrap();
    assert!(error <= 3, "a call was stamped {error} s off");
    assert!(arrivals.len() > 100);
    cluster
        .prove("skewed", Bounds { duplicates: 40, wait: TAKEOVER + Duration::from_secs(1) })
        .await;
}
