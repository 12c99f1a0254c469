//! The promises of `Tasks`.

use postrider::TaskId;
use postrider_core::{
    catalog::{Period, Task, TaskState, Work},
    delivery::{DeliveryId, ResendMode, Trigger},
    retry::RetryPlan,
};
use postrider_store::{
    Expected, IdOrUid, Records, ResendWhich, Scan, StatusKind, Store, StoreError, TASK_RETENTION,
    TaskBatch, TaskEffect, Version,
};

use crate::{fixture, fixture::*, store_tests};

const fn task_id(number: u64) -> TaskId {
    TaskId::from_parts((START + number) << 12, number)
}

/// A task that was started this many milliseconds after [`START`].
pub(crate) fn task(number: u64) -> Task {
    let work = Work::ReplayMissing {
        application: application_id(1),
        endpoint: endpoint_id(1),
        period: Period { since: at(0), until: NOW },
    };
    Task::new(task_id(number), organization(), work, "a test".to_owned(), at(number))
}

async fn saved(store: &dyn Store, number: u64) -> (Task, Version) {
    let version = store.save(&task(number), Expected::New).await.unwrap();
    (task(number), version)
}

async fn run(store: &dyn Store, effect: TaskEffect) -> u64 {
    let (task, expected) = match stored(store, 1).await {
        Some(found) => found,
        None => saved(store, 1).await,
    };
    let before = task.progress.done;
    let (after, version) = store.run_batch(TaskBatch { task, expected, effect }).await.unwrap();
    assert_eq!(stored(store, 1).await, Some((after.clone(), version)));
    after.progress.done - before
}

async fn stored(store: &dyn Store, number: u64) -> Option<(Task, Version)> {
    let key = IdOrUid::Id(task_id(number));
    store.get_versioned::<Task>(&organization(), &key).await.unwrap()
}

fn resend(numbers: &[u64], which: ResendWhich) -> TaskEffect {
    TaskEffect::Resend {
        application: application_id(1),
        endpoint: endpoint_id(1),
        messages: numbers.iter().copied().map(message_id).collect(),
        at: NOW,
        which,
    }
}

fn existing() -> ResendWhich {
    ResendWhich::Existing(ResendMode::Once)
}

async fn open(store: &dyn Store, after: Option<u64>, limit: usize) -> Vec<u64> {
    let found = store.open_tasks(after.map(task_id), limit).await.unwrap();
    found.iter().map(|it| it.task().unwrap().0.id.millis() - START).collect()
}

store_tests! {
    async fn tasks_that_have_not_ended_are_listed_in_the_order_of_their_start(store) {
        for number in [3, 1, 2, 4] {
            saved(store, number).await;
        }
        let other = Task { organization: "org_other".parse().unwrap(), ..task(5) };
        store.save(&other, Expected::New).await.unwrap();
        let mut ended = task(2);
        ended.end(TaskState::Finished, None, NOW);
        store.save(&ended, Expected::Any).await.unwrap();
        assert_eq!(open(store, None, 10).await, [1, 3, 4, 5]);
        assert_eq!(open(store, Some(1), 2).await, [3, 4]);
        let newest = Scan { after: None, ascending: false, limit: 3 };
        let page = store.list::<Task>(&organization(), newest).await.unwrap();
        assert_eq!(page.items, [task(4), task(3), ended]);
        assert_eq!(page.resume, Some(task_id(2)));
        assert!(store.remove::<Task>(&organization(), &task_id(1)).await.unwrap());
        assert_eq!(open(store, None, 10).await, [3, 4, 5]);
    }

    async fn only_tasks_that_have_ended_expire(store) {
        saved(store, 1).await;
        let mut ended = task(2);
        ended.end(TaskState::Failed, Some("it failed".to_owned()), NOW);
        store.save(&ended, Expected::New).await.unwrap();
        expire(store, at(1) + TASK_RETENTION, ONE_DAY).await;
        assert!(stored(store, 2).await.is_some());
        expire(store, at(20_000) + TASK_RETENTION, ONE_DAY).await;
        assert_eq!(stored(store, 2).await, None);
        assert!(stored(store, 1).await.is_some());
    }

    async fn a_batch_has_no_effect_if_the_task_was_changed_meanwhile(store) {
        store.append(vec![leased(1, &[1])]).await.unwrap();
        fail(store, 1, fresh(1, 1)).await;
        let (task, expected) = saved(store, 1).await;
        store.save(&task, Expected::Version(expected)).await.unwrap();
        let batch = TaskBatch { task: task.clone(), expected, effect: resend(&[1], existing()) };
        let error = store.run_batch(batch.clone()).await.unwrap_err();
        assert!(matches!(error, StoreError::VersionMismatch { .. }), "{error:?}");
        assert_eq!(delivery_states(store, 1).await, [(1, StatusKind::Failed, 1)]);
        store.remove::<Task>(&organization(), &task.id).await.unwrap();
        let error = store.run_batch(batch).await.unwrap_err();
        assert!(matches!(error, StoreError::VersionMismatch { .. }), "{error:?}");
    }

    async fn a_batch_resends_deliveries_in_any_state_but_leased_ones(store) {
        store.append((1..=6).map(|number| leased(number, &[1, 2])).collect()).await.unwrap();
        store.append(vec![free(7, &[1]), free(8, &[2])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        fail(store, 2, fresh(1, 2)).await;
        store.cancel(postrider_store::Scope::Message(application_id(1), message_id(3))).await.unwrap();
        fail(store, 4, fresh(1, 4)).await;
        store.expunge_message(application_id(1), message_id(4)).await.unwrap();
        // Delivery 5 is leased, 8 does not exist, and there is no message 99.
        let all = [1, 2, 3, 4, 5, 7, 8, 99];
        assert_eq!(run(store, resend(&all, existing())).await, 4);
        let found = store.claim(claim()).await.unwrap();
        let of_first: Vec<_> =
            found.deliveries.iter().filter(|it| it.0.id.endpoint == endpoint_id(1)).collect();
        let mut numbers: Vec<_> =
            of_first.iter().map(|it| it.0.id.message.millis() - START).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 7]);
        assert!(of_first.iter().all(|it| it.0.trigger == Trigger::Manual));
        let plan = |number| {
            let id = delivery_id(1, number);
            of_first.iter().find(|it| it.0.id == id).map(|it| it.0.retry_plan)
        };
        assert_eq!(plan(2), Some(RetryPlan::Once));
        assert_eq!(plan(7), Some(RetryPlan::Resume(at(7))));
    }

    async fn a_batch_creates_only_deliveries_that_are_missing(store) {
        store.append(vec![leased(1, &[1, 2]), leased(2, &[2]), free(3, &[1]), free(4, &[])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        store.append(vec![free_in_application_2(5)]).await.unwrap();
        assert_eq!(run(store, resend(&[1, 2, 3, 4, 5], ResendWhich::Missing)).await, 2);
        assert_eq!(run(store, resend(&[1, 2, 3, 4, 5], ResendWhich::Missing)).await, 0);
        let found = store.claim(claim()).await.unwrap();
        let created: Vec<DeliveryId> = found
            .deliveries
            .iter()
            .filter(|it| it.0.trigger == Trigger::Manual)
            .map(|it| it.0.id)
            .collect();
        assert_eq!(created.len(), 2);
        assert!(created.contains(&delivery_id(1, 2)) && created.contains(&delivery_id(1, 4)));
        let states = delivery_states(store, 1).await;
        assert_eq!(states.iter().map(|it| it.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    async fn a_batch_cancels_pending_deliveries(store) {
        store.append(vec![leased(1, &[1]), free(2, &[1, 2]), free(3, &[1]), leased(4, &[1])]).await.unwrap();
        deliver(store, 1, fresh(1, 1)).await;
        let effect = TaskEffect::Cancel {
            application: application_id(1),
            endpoint: endpoint_id(1),
            messages: [1, 2, 4, 99].map(message_id).to_vec(),
        };
        assert_eq!(run(store, effect).await, 2);
        let expected = [
            (1, StatusKind::Delivered, 1),
            (2, StatusKind::Cancelled, 0),
            (3, StatusKind::Pending, 0),
            (4, StatusKind::Cancelled, 0),
        ];
        assert_eq!(delivery_states(store, 1).await, expected);
        assert_eq!(claimed(store, claim()).await, [(2, 2, 1), (1, 3, 1)]);
    }

    async fn a_batch_removes_bodies(store) {
        store.append(vec![free(1, &[1]), free(2, &[1]), free(3, &[1])]).await.unwrap();
        store.expunge_message(application_id(1), message_id(2)).await.unwrap();
        let effect = TaskEffect::Expunge {
            application: application_id(1),
            messages: [1, 2, 99].map(message_id).to_vec(),
        };
        assert_eq!(run(store, effect).await, 1);
        assert_eq!(stored_message(store, 1).await.unwrap().body, None);
        assert!(stored_message(store, 3).await.unwrap().body.is_some());
        assert_eq!(claimed(store, claim()).await, [(1, 3, 1)]);
    }
}
