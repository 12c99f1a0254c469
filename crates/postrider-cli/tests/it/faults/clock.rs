//! A wall clock that jumps under load.

use serde_json::json;

use super::{Accepted, check_accepted, publish, restart_without_faults, server_on_disk};
use crate::{
    receiver::{Behavior, Receiver},
    server::postrider,
};

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wall_clock_that_jumps_loses_and_blocks_nothing() {
    let receiver = Receiver::start().await;
    let (disk, mut server) = server_on_disk(&receiver, "jumps").await;
    let accepted = Accepted::default();
    // A token is not valid before it was created.
    disk.fail(&format!("clock {}", -2 * YEAR));
    let data = server.folder.path().join("data");
    let mut create = postrider(&["token", "create", "--expires", "never", "--data"]);
    let token = create.arg(data).envs(disk.variables()).output().unwrap();
    server.token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
    let mut count = 0;
    // Retries are due at times that the clock passes again, or never reaches.
    receiver.set_behavior("jumps", Behavior::FailFirst(5));
    for offset in [HOUR, 0, -HOUR, YEAR, -YEAR, 0] {
        disk.fail(&format!("clock {offset}"));
        for _ in 0..10 {
            let payload = json!({ "n": count });
            assert_eq!(publish(&server.caller(), payload, &accepted).await, Some(202), "{offset}");
            count += 1;
        }
        check_accepted(&server, &receiver, "jumps", &accepted).await;
    }
    // After a restart with a clock that is far behind what was stored.
    server.kill();
    disk.fail(&format!("clock {}", -YEAR));
    server.restart();
    assert_eq!(publish(&server.caller(), json!({ "n": count }), &accepted).await, Some(202));
    check_accepted(&server, &receiver, "jumps", &accepted).await;
    server.kill();
    restart_without_faults(&mut server);
    check_accepted(&server, &receiver, "jumps", &accepted).await;
}
