//! Nodes whose clocks are wrong. Times that matter are the database's.

use std::{fs, path::PathBuf, time::Duration};

use crate::{
    cluster::{Bounds, Cluster, Setup, TAKEOVER},
    node::Variables,
};

/// Where Debian and others put the library that fakes clocks.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

fn library() -> PathBuf {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found =
        folders.into_iter().map(|it| PathBuf::from(it).join(LIBRARY)).find(|it| it.exists());
    found.expect("libfaketime is not installed (Debian: apt-get install libfaketime)")
}

/// Makes the node's wall clock, and no other, follow what is in the file.
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
async fn clocks_that_are_wrong_and_jump_change_nothing() {
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
    // The node that is ahead dies; the one that is behind takes over.
    cluster.nodes[0].kill();
    cluster.accept(100).await;
    cluster.restart(0);
    // Both clocks jump by two minutes.
    set(["-60", "+60", "+0"]);
    cluster.accept(200).await;
    // Receivers see true times, however wrong the clock of the node that called them.
    let arrivals = cluster.receiver.arrivals();
    let error = arrivals.iter().map(|it| (it.time - it.said).abs()).max().unwrap();
    assert!(error <= 3, "a call was stamped {error} s beside the time");
    assert!(arrivals.len() > 100);
    cluster
        .prove("skewed", Bounds { duplicates: 40, wait: TAKEOVER + Duration::from_secs(1) })
        .await;
}
