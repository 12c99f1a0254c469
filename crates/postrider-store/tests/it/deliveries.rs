//! The promises of `Deliveries`: append, claim, settle, release, resend, cancel.

mod order;
mod paused;
mod recover;
mod schedule;
mod skip;

use std::{sync::Arc, time::Duration};

use postrider::MessageId;
use postrider_core::{
    catalog::Endpoint,
    delivery::{Delivery, Trigger},
    message::Message,
    retry::{RetryPlan, Verdict},
};
use postrider_store::{
    AppendOutcome, Claim, Hold, IdOrUid, Records, ResendMode, Scope, SettleBatch, Shard, StatusKind,
};

use crate::{fixture, fixture::*, store_tests};

store_tests! {
    async fn a_message_appended_twice_is_stored_once(store) {
        let batch = vec![free(1, &[1])];
        assert_eq!(store.append(batch.clone()).await.unwrap(), [AppendOutcome::New]);
        assert_eq!(store.append(batch).await.unwrap(), [AppendOutcome::New]);
        assert_eq!(claimed(store, claim()).await, [(1, 1, 1)]);
    }

    async fn a_message_is_stored_or_its_id_is_reported_as_taken(store) {
        store.append(vec![free(1, &[1])]).await.unwrap();
        // The time and the counter of another message's id.
        let id = MessageId::from_parts(message_id(1).sequence(), message_id(1).tail() ^ 1);
        let other = new(Message { id, ..message(1) }, &[2], Hold::Free(at(0)));
        let outcomes = store.append(vec![other.clone(), free(2, &[])]).await.unwrap();
        let found = store.message(application_id(1), &IdOrUid::Id(id)).await.unwrap();
        let expected = if found.is_some() { AppendOutcome::New } else { AppendOutcome::IdTaken };
        assert_eq!(outcomes, [expected, AppendOutcome::New]);
        assert_eq!(store.append(vec![other]).await.unwrap(), [expected]);
        assert_eq!(store.append(vec![free(1, &[1])]).await.unwrap(), [AppendOutcome::New]);
        let kept = store.message(application_id(1), &IdOrUid::Id(message_id(1))).await.unwrap();
        assert_eq!(kept, Some(message(1)));
    }

    async fn an_event_id_is_unique_in_its_application(store) {
        let with_id = |number| Message { event_id: Some("e".parse().unwrap()), ..message(number) };
        let hold = Hold::Free(at(0));
        let elsewhere = Message { application: application_id(2), ..with_id(3) };
        let batch = vec![
            new(with_id(1), &[1], hold),
            new(with_id(2), &[1], hold),
            new(elsewhere, &[], hold),
        ];
        let first = message_id(1);
        let expected = [AppendOutcome::New, AppendOutcome::EventIdTaken(first), AppendOutcome::New];
        assert_eq!(store.append(batch).await.unwrap(), expected);
        let again = store.append(vec![new(with_id(4), &[1], hold)]).await.unwrap();
        assert_eq!(again, [AppendOutcome::EventIdTaken(first)]);
        assert_eq!(claimed(store, claim()).await, [(1, 1, 1)]);
        let named = IdOrUid::Uid("e".parse().unwrap());
        let found = store.message(application_id(1), &named).await.unwrap();
        assert_eq!(found, Some(with_id(1)));
    }

    async fn an_idempotency_digest_returns_its_first_message(store) {
        let outcomes = store.append(vec![free_with_digest(1, &[1]), free_with_digest(2, &[1])]).await.unwrap();
        assert_eq!(outcomes, [AppendOutcome::New, AppendOutcome::Duplicate(message_id(1))]);
        let outcomes = store.append(vec![free_with_digest(3, &[1])]).await.unwrap();
        assert_eq!(outcomes, [AppendOutcome::Duplicate(message_id(1))]);
        assert_eq!(claimed(store, claim()).await, [(1, 1, 1)]);
    }

    async fn a_lease_hides_a_delivery_until_it_ends(store) {
        store.append(vec![leased(1, &[1, 2])]).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        let end = NOW + Duration::from_millis(LEASE);
        assert_eq!((numbers(&found), found.next_due), (vec![], Some(end)));
        assert_eq!(claimed(store, claim_at(end)).await, [(1, 1, 1), (2, 1, 1)]);
        assert_eq!(claimed(store, claim_at(end)).await, []);
        let later = end + Duration::from_millis(LEASE);
        assert_eq!(claimed(store, claim_at(later)).await, [(1, 1, 1), (2, 1, 1)]);
    }

    async fn a_claim_returns_the_message_as_it_was_accepted(store) {
        let sent = Message {
            channels: vec!["c".to_owned()],
            tags: vec!["t".to_owned()],
            deliver_at: Some(at(50)),
            format: postrider_core::message::Format::Raw {
                headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            },
            event_id: Some("e".parse().unwrap()),
            ..message(1)
        };
        store.append(vec![new(sent.clone(), &[1], Hold::Free(at(50)))]).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        assert_eq!(found.deliveries, [(fresh(1, 1), Arc::new(sent))]);
    }

    async fn the_endpoint_that_waits_longest_is_claimed_first(store) {
        let batch = vec![free(5, &[1]), free(1, &[2]), free(9, &[2]), free(3, &[3]), free(4, &[3])];
        store.append(batch).await.unwrap();
        let expected = [(2, 1, 1), (2, 9, 1), (3, 3, 1), (3, 4, 1), (1, 5, 1)];
        assert_eq!(claimed(store, claim()).await, expected);
    }

    async fn a_delivery_is_not_offered_before_it_is_due(store) {
        let batch = vec![free(1, &[1]), free(20, &[1]), free(30, &[2])];
        store.append(batch).await.unwrap();
        let found = store.claim(claim_at(at(10))).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![(1, 1, 1)], Some(at(20))));
        let found = store.claim(claim_at(at(20))).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![(1, 20, 1)], Some(at(30))));
    }

    async fn a_claim_takes_no_more_than_its_limits(store) {
        store.append((1..=5).map(|number| free(number, &[1, 2])).collect()).await.unwrap();
        let found = store.claim(Claim { per_endpoint: 2, limit: 3, ..claim() }).await.unwrap();
        assert_eq!(numbers(&found), [(1, 1, 1), (1, 2, 1), (2, 1, 1)]);
        assert!(found.next_due.unwrap() <= NOW);
        let found = store.claim(Claim { per_endpoint: 2, ..claim() }).await.unwrap();
        assert_eq!(numbers(&found), [(2, 2, 1), (2, 3, 1), (1, 3, 1), (1, 4, 1)]);
    }

    async fn endpoints_without_capacity_are_skipped(store) {
        store.append((1..=5).map(|number| free(number, &[1, 2, 3])).collect()).await.unwrap();
        let capacities = [(endpoint_id(1), 0), (endpoint_id(2), 2), (endpoint_id(3), 500)];
        let asked = Claim { capacities: capacities.into(), per_endpoint: 4, ..claim() };
        let expected =
            [(2, 1, 1), (2, 2, 1), (3, 1, 1), (3, 2, 1), (3, 3, 1), (3, 4, 1), (3, 5, 1)];
        let found = store.claim(asked).await.unwrap();
        assert_eq!(numbers(&found), expected);
        // Endpoints with capacity have no more due deliveries, so the end of the leases is next.
        assert_eq!(found.next_due, Some(NOW + Duration::from_millis(LEASE)));
        let capacities = [(endpoint_id(1), 0)].into();
        let found = store.claim(Claim { capacities, limit: 1, ..claim() }).await.unwrap();
        assert_eq!(numbers(&found), [(2, 3, 1)]);
        assert_eq!(found.next_due, Some(at(4)));
    }

    async fn a_shard_claims_only_its_own_applications(store) {
        store.append(vec![free(1, &[1]), free_in_application_2(2)]).await.unwrap();
        for (index, expected) in [(0, (4, 2, 1)), (1, (1, 1, 1))] {
            let shard = Shard { index, count: 2 };
            assert_eq!(claimed(store, Claim { shard, ..claim() }).await, [expected]);
        }
    }

    async fn a_completed_delivery_is_not_offered_again(store) {
        store.append(vec![leased(1, &[1, 2]), free(2, &[1])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        let found = store.claim(claim()).await.unwrap();
        assert_eq!(numbers(&found), [(1, 2, 1)]);
        deliver(store, 2, found.deliveries[0].0).await;
        let end = NOW + Duration::from_millis(LEASE);
        assert_eq!(claimed(store, claim_at(end)).await, [(2, 1, 1)]);
        let done = [(1, StatusKind::Delivered, 1), (2, StatusKind::Delivered, 1)];
        assert_eq!(delivery_states(store, 1).await, done);
        assert_eq!(delivery_states(store, 2).await, [(1, StatusKind::Pending, 0)]);
    }

    async fn a_retry_is_offered_when_it_is_due(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let reported = Delivery { reported: true, ..fresh(1, 1) };
        let retry = Verdict::RetryAt(at(300_000));
        settle(store, vec![settlement(1, reported, 500, retry)]).await;
        let found = store.claim(claim()).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], Some(at(300_000))));
        assert_eq!(delivery_states(store, 1).await, [(1, StatusKind::Sending, 1)]);
        let found = store.claim(claim_at(at(300_000))).await.unwrap();
        let second = Delivery { attempt: 2, ..reported };
        assert_eq!(found.deliveries[0].0, second);
        settle(store, vec![settlement(2, second, 0, Verdict::RetryAt(at(400_000)))]).await;
        assert_eq!(claimed(store, claim_at(at(500_000))).await, [(1, 1, 3)]);
    }

    async fn a_delivery_that_is_given_up_is_failed(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        fail(store, 1, fresh(1, 1)).await;
        assert_eq!(claimed(store, claim_at(at(900_000))).await, []);
        assert_eq!(delivery_states(store, 1).await, [(1, StatusKind::Failed, 1)]);
    }

    async fn a_settlement_is_recorded_once(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let retry = settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(1)));
        settle(store, vec![retry.clone()]).await;
        settle(store, vec![retry]).await;
        // The same attempt again, by a former holder whose lease had expired.
        deliver(store, 2, fresh(1, 1)).await;
        assert_eq!(delivery_states(store, 1).await, [(1, StatusKind::Sending, 2)]);
        assert_eq!(claimed(store, claim()).await, [(1, 1, 2)]);
    }

    async fn a_settlement_does_not_revive_a_cancelled_delivery(store) {
        store.append(vec![leased(1, &[1]), free(2, &[1])]).await.unwrap();
        let held = store.claim(claim()).await.unwrap().deliveries[0].0;
        assert_eq!(store.cancel(Scope::Endpoint(application_id(1), endpoint_id(1))).await.unwrap(), 2);
        settle(store, vec![
            settlement(1, fresh(1, 1), 500, Verdict::RetryAt(at(1))),
            settlement(2, held, 500, Verdict::RetryAt(at(1))),
        ]).await;
        assert_eq!(claimed(store, claim_at(at(900_000))).await, []);
        let ended = [(1, StatusKind::Cancelled, 1), (2, StatusKind::Cancelled, 1)];
        assert_eq!(delivery_states(store, 1).await, ended);
    }

    async fn a_settle_batch_stores_its_messages_with_its_settlements(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let settlements = vec![settlement(1, fresh(1, 1), 200, Verdict::Delivered)];
        let batch = SettleBatch { settlements, messages: vec![free(2, &[2])] };
        store.settle(Arc::new(batch)).await.unwrap();
        assert_eq!(claimed(store, claim()).await, [(2, 2, 1)]);
    }

    async fn a_released_delivery_is_offered_again_unchanged(store) {
        store.append(vec![leased(1, &[1]), free(2, &[1]), free(3, &[1])]).await.unwrap();
        let held = store.claim(Claim { limit: 1, ..claim() }).await.unwrap().deliveries[0].0;
        deliver(store, 1, fresh(1, 3)).await;
        let released = [fresh(1, 1), held, fresh(1, 3), fresh(2, 9)];
        let released = released.map(|delivery| (delivery, at(150_000))).to_vec();
        store.release(released).await.unwrap();
        let found = store.claim(claim()).await.unwrap();
        assert_eq!((numbers(&found), found.next_due), (vec![], Some(at(150_000))));
        let found = store.claim(claim_at(at(150_000))).await.unwrap();
        assert_eq!(numbers(&found), [(1, 1, 1), (1, 2, 1)]);
    }

    async fn a_resend_makes_one_attempt_from_any_state(store) {
        store.append(vec![leased(1, &[1]), free(2, &[1])]).await.unwrap();
        let (other, mine) = (application_id(2), application_id(1));
        let resend = async |application, endpoint, message| {
            let id = delivery_id(endpoint, message);
            store.resend(application, id, at(150_000), ResendMode::Once).await.unwrap()
        };
        deliver(store, 1, fresh(1, 1)).await;
        assert!(resend(mine, 1, 1).await);
        assert!(resend(mine, 3, 1).await);
        assert!(resend(mine, 1, 2).await);
        assert!(!resend(other, 1, 1).await);
        assert!(!resend(mine, 1, 9).await);
        assert_eq!(claimed(store, claim()).await, []);
        assert_eq!(delivery_states(store, 3).await, [(1, StatusKind::Pending, 0)]);
        let found = store.claim(claim_at(at(150_000))).await.unwrap();
        assert_eq!(numbers(&found), [(1, 1, 1), (1, 2, 1), (3, 1, 1)]);
        assert!(found.deliveries.iter().all(|(it, _)| it.trigger == Trigger::Manual));
        let retry_plans: Vec<_> = found.deliveries.iter().map(|(it, _)| it.retry_plan).collect();
        assert_eq!(retry_plans, [RetryPlan::Once, RetryPlan::Resume(at(2)), RetryPlan::Once]);
        // A leased delivery stays with its holder.
        assert!(resend(mine, 1, 1).await);
        assert_eq!(claimed(store, claim_at(at(150_000))).await, []);
        deliver(store, 2, found.deliveries[0].0).await;
        fail(store, 3, found.deliveries[2].0).await;
        let rows = [(1, StatusKind::Delivered, 2), (2, StatusKind::Pending, 0)];
        assert_eq!(delivery_states(store, 1).await, rows);
        assert_eq!(delivery_states(store, 3).await, [(1, StatusKind::Failed, 1)]);
    }

    async fn a_resend_between_retries_keeps_the_schedule(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        let first = Delivery { reported: true, ..fresh(1, 1) };
        let later = at(300_000);
        settle(store, vec![settlement(1, first, 500, Verdict::RetryAt(later))]).await;
        let resend = async |mode| {
            store.resend(application_id(1), delivery_id(1, 1), NOW, mode).await.unwrap()
        };
        for _ in 0..2 {
            assert!(resend(ResendMode::Once).await);
        }
        let held = store.claim(claim()).await.unwrap().deliveries[0].0;
        let waiting = Delivery { attempt: 2, ..first };
        let (trigger, retry_plan) = (Trigger::Manual, RetryPlan::Resume(later));
        assert_eq!(held, Delivery { trigger, retry_plan, ..waiting });
        // The release of a resent delivery keeps its schedule.
        store.release(vec![(held, NOW)]).await.unwrap();
        let held = store.claim(claim()).await.unwrap().deliveries[0].0;
        settle(store, vec![settlement(2, held, 500, Verdict::RetryAt(later))]).await;
        assert_eq!(claimed(store, claim()).await, []);
        let found = store.claim(claim_at(later)).await.unwrap();
        assert_eq!(found.deliveries[0].0, waiting);
        settle(store, vec![settlement(3, waiting, 500, Verdict::RetryAt(at(400_000)))]).await;
        // A resend with retries starts the schedule again.
        assert!(resend(ResendMode::Retry).await);
        let found = store.claim(claim()).await.unwrap();
        assert_eq!(found.deliveries[0].0, Delivery { trigger, ..fresh(1, 1) });
        assert_eq!(delivery_states(store, 1).await, [(1, StatusKind::Sending, 3)]);
    }

    async fn a_cancel_ends_the_deliveries_in_its_scope(store) {
        let batch = vec![leased(1, &[1, 2]), free(2, &[1, 2]), free_in_application_2(3)];
        store.append(batch).await.unwrap();
        let due = store.claim(Claim { limit: 1, ..claim() }).await.unwrap();
        assert_eq!(numbers(&due), [(1, 2, 1)]);
        assert_eq!(store.cancel(Scope::Message(application_id(1), message_id(1))).await.unwrap(), 2);
        assert_eq!(store.cancel(Scope::Endpoint(application_id(1), endpoint_id(1))).await.unwrap(), 1);
        assert_eq!(store.cancel(Scope::Application(application_id(1))).await.unwrap(), 1);
        assert_eq!(store.cancel(Scope::Application(application_id(1))).await.unwrap(), 0);
        assert_eq!(claimed(store, claim_at(at(900_000))).await, [(4, 3, 1)]);
        let ended = [(1, StatusKind::Cancelled, 0), (2, StatusKind::Cancelled, 0)];
        assert_eq!(delivery_states(store, 1).await, ended);
    }

    async fn deliveries_of_removed_endpoints_and_expunged_messages_are_cancelled(store) {
        store.append(vec![free(1, &[1]), free(2, &[2])]).await.unwrap();
        assert!(store.remove::<Endpoint>(&application_id(1), &endpoint_id(1)).await.unwrap());
        // A message that was accepted while the endpoint was removed.
        store.append(vec![free(3, &[1])]).await.unwrap();
        store.expunge_message(application_id(1), message_id(2)).await.unwrap();
        assert_eq!(claimed(store, claim()).await, []);
        let ended = [(1, StatusKind::Cancelled, 0), (3, StatusKind::Cancelled, 0)];
        assert_eq!(delivery_states(store, 1).await, ended);
        assert_eq!(delivery_states(store, 2).await, [(2, StatusKind::Cancelled, 0)]);
    }
}
