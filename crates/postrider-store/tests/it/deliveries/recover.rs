//! The promises of `Deliveries` about recoveries, which resend failed deliveries.

use std::time::Duration;

use postrider::TaskId;
use postrider_core::{
    catalog::Recovery,
    delivery::Trigger,
    retry::{RetryPlan, Verdict},
};
use postrider_store::{ResendMode, Scope, StatusKind, Store};

use crate::{fixture, fixture::*, store_tests};

/// Appends messages 1 to 8 for endpoints 1 and 2. All but the fourth fail at endpoint 1.
async fn append_with_failures(store: &dyn Store) {
    store.append((1..=8).map(|number| leased(number, &[1, 2])).collect()).await.unwrap();
    for number in 1..=8 {
        match number {
            4 => deliver(store, number, fresh(1, number)).await,
            _ => fail(store, number, fresh(1, number)).await,
        }
    }
}

store_tests! {
    async fn a_recovery_resends_the_deliveries_that_failed_in_its_interval(store) {
        append_with_failures(store).await;
        store.begin_recovery(recovery(2, 8)).await.unwrap();
        assert_eq!(store.recover(NOW, 3).await.unwrap(), Some(3));
        let found = store.claim(claim()).await.unwrap();
        assert_eq!(numbers(&found), [(1, 2, 1), (1, 3, 1), (1, 5, 1)]);
        assert!(found.deliveries.iter().all(|(it, _)| it.trigger == Trigger::Manual));
        // A delivery that fails again is not recovered again.
        fail(store, 20, found.deliveries[2].0).await;
        assert_eq!(store.recover(NOW, 3).await.unwrap(), Some(2));
        assert_eq!(store.recover(NOW, 3).await.unwrap(), None);
        assert_eq!(claimed(store, claim()).await, [(1, 6, 1), (1, 7, 1)]);
        assert_eq!(delivery_states(store, 1).await[0], (1, StatusKind::Failed, 1));
    }

    async fn recoveries_run_one_after_another(store) {
        append_with_failures(store).await;
        store.begin_recovery(recovery(1, 3)).await.unwrap();
        store.begin_recovery(Recovery { id: TaskId::from_parts(2, 2), ..recovery(6, 100) }).await.unwrap();
        assert_eq!(store.recover(NOW, 10).await.unwrap(), Some(2));
        assert_eq!(store.recover(NOW, 10).await.unwrap(), Some(3));
        assert_eq!(store.recover(NOW, 10).await.unwrap(), None);
        let again = [(1, 1, 1), (1, 2, 1), (1, 6, 1), (1, 7, 1), (1, 8, 1)];
        assert_eq!(claimed(store, claim()).await, again);
    }

    async fn a_recovered_delivery_is_tried_once(store) {
        append_with_failures(store).await;
        store.begin_recovery(recovery(1, 2)).await.unwrap();
        store.recover(NOW, 10).await.unwrap();
        let held = store.claim(claim()).await.unwrap().deliveries[0].0;
        assert_eq!((held.attempt, held.retry_plan), (1, RetryPlan::Once));
        fail(store, 20, held).await;
        assert_eq!(delivery_states(store, 1).await[0], (1, StatusKind::Failed, 2));
    }

    async fn a_recovery_resends_cancelled_deliveries_that_have_a_body(store) {
        store.append((1..=5).map(|number| leased(number, &[1])).collect()).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        fail(store, 2, fresh(1, 2)).await;
        store.cancel(Scope::Message(application_id(1), message_id(3))).await.unwrap();
        store.expunge_message(application_id(1), message_id(4)).await.unwrap();
        fail(store, 5, fresh(1, 5)).await;
        store.begin_recovery(recovery(0, 100)).await.unwrap();
        while store.recover(NOW, 1).await.unwrap().is_some() {}
        assert_eq!(claimed(store, claim()).await, [(1, 2, 1), (1, 3, 1), (1, 5, 1)]);
        assert_eq!(delivery_states(store, 1).await[3], (4, StatusKind::Cancelled, 0));
    }

    async fn a_recovery_with_retries_restarts_the_schedule(store) {
        append_with_failures(store).await;
        let mode = ResendMode::Retry;
        store.begin_recovery(Recovery { mode, ..recovery(1, 2) }).await.unwrap();
        store.recover(NOW, 10).await.unwrap();
        let held = store.claim(claim()).await.unwrap().deliveries[0].0;
        settle(store, vec![settlement(20, held, 500, Verdict::RetryAt(at(300_000)))]).await;
        let found = store.claim(claim_at(NOW + Duration::from_secs(300))).await.unwrap();
        let mine: Vec<_> = found.deliveries.iter().filter(|it| it.0.id == delivery_id(1, 1)).collect();
        assert_eq!((mine[0].0.attempt, mine[0].0.trigger), (2, Trigger::Scheduled));
        assert_eq!(delivery_states(store, 1).await[0], (1, StatusKind::Sending, 2));
    }
}
