//! What a node may still do to deliveries that it has lost.

use std::{sync::Arc, time::Duration};

use postrider_core::{
    delivery::{Delivery, Settlement},
    retry::{Reason, Verdict},
};
use postrider_store::{MemoryStore, PostgresOptions, PostgresStore, StatusKind, Store};

use crate::{
    database::Schema,
    fixture::{
        LEASE, NOW, at, claim, claim_at, claimed, fresh, leased, set_up, settle, settlement,
        standings,
    },
};

const FAILED: Verdict = Verdict::GiveUp(Reason::Exhausted);
const RETRY: Verdict = Verdict::RetryAt(at(900_000));

/// What the winner has done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Winner {
    Nothing,
    Claims,
    Says(Verdict),
}

/// What the loser says at last, when the winner has done nothing, has claimed, or has said
/// something of its own; and where the delivery stands then, after how many attempts.
const CASES: [(Winner, Verdict, StatusKind, u16); 11] = [
    (Winner::Nothing, Verdict::Delivered, StatusKind::Delivered, 1),
    (Winner::Nothing, FAILED, StatusKind::Failed, 1),
    (Winner::Nothing, RETRY, StatusKind::Sending, 1),
    (Winner::Claims, Verdict::Delivered, StatusKind::Delivered, 1),
    (Winner::Claims, FAILED, StatusKind::Sending, 1),
    (Winner::Claims, RETRY, StatusKind::Sending, 1),
    (Winner::Says(Verdict::Delivered), FAILED, StatusKind::Delivered, 2),
    (Winner::Says(Verdict::Delivered), RETRY, StatusKind::Delivered, 2),
    (Winner::Says(RETRY), FAILED, StatusKind::Sending, 2),
    (Winner::Says(RETRY), RETRY, StatusKind::Sending, 2),
    (Winner::Says(FAILED), RETRY, StatusKind::Failed, 2),
];

/// The deliveries of all cases are the loser's and free now.
async fn check(loser: &dyn Store, winner: &dyn Store) {
    let mut expected = Vec::new();
    let all = winner.claim(claim()).await.unwrap().deliveries;
    assert_eq!(all.len(), CASES.len(), "the winner takes over");
    let given_back = |number: u64| CASES[usize::try_from(number).unwrap() - 1].0 == Winner::Nothing;
    let back: Vec<_> = (1..).take(CASES.len()).filter(|it| given_back(*it)).collect();
    winner.release(back.iter().map(|it| (fresh(1, *it), NOW)).collect()).await.unwrap();
    loser.release(vec![(fresh(1, 4), NOW)]).await.unwrap();
    for (number, (done, late, status, attempts)) in (1..).zip(CASES) {
        let delivery = fresh(1, number);
        if let Winner::Says(verdict) = done {
            settle(winner, vec![settled(number, delivery, verdict)]).await;
        }
        settle(loser, vec![settled(100 + number, delivery, late)]).await;
        expected.push((number, status, attempts));
    }
    assert_eq!(standings(winner, 1).await, expected);
    let later = claimed(winner, claim_at(at(100_001))).await;
    assert_eq!(later, [], "what the winner holds stays with it, released by the loser or not");
    let due = claimed(winner, claim_at(at(900_000))).await;
    let mut due: Vec<_> = due.into_iter().map(|(_, number, attempt)| (number, attempt)).collect();
    due.sort_unstable();
    assert_eq!(due, [(3, 2), (5, 1), (6, 1), (9, 2), (10, 2)], "after the winner's leases");
}

fn settled(number: u64, delivery: Delivery, verdict: Verdict) -> Settlement {
    let status = if verdict == Verdict::Delivered { 200 } else { 500 };
    settlement(number, delivery, status, verdict)
}

async fn hold(loser: &dyn Store) {
    set_up(loser).await;
    let messages = (1..).take(CASES.len()).map(|number| leased(number, &[1])).collect();
    loser.append(messages).await.unwrap();
}

#[tokio::test]
async fn a_late_settlement_cannot_undo_a_newer_one_in_memory() {
    let memory = MemoryStore::default();
    let (loser, winner) = (memory.join(NOW), memory.join(at(10_000_000)));
    hold(&loser).await;
    let freed = winner.reap(NOW + Duration::from_millis(LEASE / 2)).unwrap();
    assert_eq!(freed, CASES.len() as u64);
    check(&loser, &winner).await;
}

#[tokio::test]
async fn a_late_settlement_cannot_undo_a_newer_one_on_postgres() {
    let schema = Schema::create().await;
    let loser = schema.open().await;
    hold(&loser).await;
    let client = schema.client().await;
    client.batch_execute("DELETE FROM node").await.unwrap();
    let options = PostgresOptions { node_lease: Duration::from_millis(300), ..schema.options() };
    let winner = Arc::new(PostgresStore::open(options).await.unwrap());
    let held = "SELECT count(*) FROM queue WHERE holder IS NOT NULL";
    let freed = async {
        while client.query_one(held, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), freed).await.unwrap();
    check(&loser, &*winner).await;
    drop((loser, winner));
    schema.remove().await;
}
