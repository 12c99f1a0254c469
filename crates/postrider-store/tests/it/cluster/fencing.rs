//! The promises of `Cluster` about fencing: late calls of a node whose deliveries were taken over.

use std::{sync::Arc, time::Duration};

use postrider_core::{
    delivery::{Delivery, Settlement},
    retry::{Reason, Verdict},
};
use postrider_store::{MemoryStore, PostgresOptions, PostgresStore, StatusKind, Store};

use super::{HELD, wait_until};
use crate::{
    fixture::{
        LEASE, NOW, at, claim, claim_at, claimed, delivery_states, fresh, leased, set_up, settle,
        settlement,
    },
    schema::{Schema, count},
};

const FAILED: Verdict = Verdict::GiveUp(Reason::Exhausted);
const RETRY: Verdict = Verdict::RetryAt(at(900_000));

/// What the winner does before the late settlement of the loser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Winner {
    Nothing,
    Claims,
    Settles(Verdict),
}

/// The winner's action, the loser's late verdict, and the status and number of attempts of the
/// delivery after both.
const CASES: [(Winner, Verdict, StatusKind, u16); 11] = [
    (Winner::Nothing, Verdict::Delivered, StatusKind::Delivered, 1),
    (Winner::Nothing, FAILED, StatusKind::Failed, 1),
    (Winner::Nothing, RETRY, StatusKind::Sending, 1),
    (Winner::Claims, Verdict::Delivered, StatusKind::Delivered, 1),
    (Winner::Claims, FAILED, StatusKind::Sending, 1),
    (Winner::Claims, RETRY, StatusKind::Sending, 1),
    (Winner::Settles(Verdict::Delivered), FAILED, StatusKind::Delivered, 2),
    (Winner::Settles(Verdict::Delivered), RETRY, StatusKind::Delivered, 2),
    (Winner::Settles(RETRY), FAILED, StatusKind::Sending, 2),
    (Winner::Settles(RETRY), RETRY, StatusKind::Sending, 2),
    (Winner::Settles(FAILED), RETRY, StatusKind::Failed, 2),
];

/// Runs all cases. Their deliveries were the loser's, and are free now.
async fn check(loser: &dyn Store, winner: &dyn Store) {
    let mut expected = Vec::new();
    let all = winner.claim(claim()).await.unwrap().deliveries;
    assert_eq!(all.len(), CASES.len(), "the winner takes over");
    let is_released =
        |number: u64| CASES[usize::try_from(number).unwrap() - 1].0 == Winner::Nothing;
    let released: Vec<_> = (1..).take(CASES.len()).filter(|it| is_released(*it)).collect();
    winner.release(released.iter().map(|it| (fresh(1, *it), NOW)).collect()).await.unwrap();
    loser.release(vec![(fresh(1, 4), NOW)]).await.unwrap();
    for (number, (done, late, status, attempts)) in (1..).zip(CASES) {
        let delivery = fresh(1, number);
        if let Winner::Settles(verdict) = done {
            settle(winner, vec![settled(number, delivery, verdict)]).await;
        }
        settle(loser, vec![settled(100 + number, delivery, late)]).await;
        expected.push((number, status, attempts));
    }
    assert_eq!(delivery_states(winner, 1).await, expected);
    let later = claimed(winner, claim_at(at(100_001))).await;
    assert_eq!(later, [], "deliveries of the winner stay held, even if the loser releases them");
    let due = claimed(winner, claim_at(at(900_000))).await;
    let mut due: Vec<_> = due.into_iter().map(|(_, number, attempt)| (number, attempt)).collect();
    due.sort_unstable();
    assert_eq!(due, [(3, 2), (5, 1), (6, 1), (9, 2), (10, 2)], "after the winner's leases");
}

fn settled(number: u64, delivery: Delivery, verdict: Verdict) -> Settlement {
    let status = if verdict == Verdict::Delivered { 200 } else { 500 };
    settlement(number, delivery, status, verdict)
}

/// Appends the messages of all cases, whose deliveries the loser holds.
async fn append_leased(loser: &dyn Store) {
    set_up(loser).await;
    let messages = (1..).take(CASES.len()).map(|number| leased(number, &[1])).collect();
    loser.append(messages).await.unwrap();
}

#[tokio::test]
async fn a_late_settlement_cannot_undo_a_newer_one_in_memory() {
    let memory = MemoryStore::default();
    let (loser, winner) = (memory.join(NOW), memory.join(at(10_000_000)));
    append_leased(&loser).await;
    let freed = winner.reap(NOW + Duration::from_millis(LEASE / 2)).unwrap();
    assert_eq!(freed, CASES.len() as u64);
    check(&loser, &winner).await;
}

#[tokio::test]
async fn a_late_settlement_cannot_undo_a_newer_one_on_postgres() {
    let schema = Schema::create().await;
    let loser = schema.open().await;
    append_leased(&loser).await;
    let client = schema.client().await;
    client.batch_execute("DELETE FROM node").await.unwrap();
    let options = PostgresOptions { node_lease: Duration::from_millis(300), ..schema.options() };
    let winner = Arc::new(PostgresStore::open(options).await.unwrap());
    wait_until("all deliveries are free", async || count(&client, HELD).await == 0).await;
    check(&loser, &*winner).await;
    drop((loser, winner));
    schema.remove().await;
}
